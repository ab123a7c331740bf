import type { Timers } from "../domain/timers.ts";

/** A timer of Node can wait for at most 2^31 - 1 ms. */
const LONGEST_MS = 24 * 3_600_000;

/** Notifies of versions that expire, by the clock of this machine: also while no server answers. */
export class Expiries {
  readonly #timers: Pick<Timers, "clock" | "delay">;
  readonly #onExpired: (path: string) => void;
  readonly #cancels = new Map<string, () => void>();

  constructor(timers: Pick<Timers, "clock" | "delay">, onExpired: (path: string) => void) {
    this.#timers = timers;
    this.#onExpired = onExpired;
  }

  /** The newest version of a secret expires at this time, in milliseconds since the epoch, or never. */
  set(path: string, expireTime: number | undefined): void {
    this.#cancels.get(path)?.();
    this.#cancels.delete(path);
    if (expireTime !== undefined) this.#wait(path, expireTime);
  }

  /** Cancels all timers. */
  close(): void {
    for (const cancel of this.#cancels.values()) cancel();
    this.#cancels.clear();
  }

  #wait(path: string, expireTime: number): void {
    const rest = expireTime - this.#timers.clock();
    const isLast = rest <= LONGEST_MS;
    const cancel = this.#timers.delay(Math.min(Math.max(rest, 0), LONGEST_MS), () =>
      isLast ? this.#onExpired(path) : this.#wait(path, expireTime),
    );
    this.#cancels.set(path, cancel);
  }
}

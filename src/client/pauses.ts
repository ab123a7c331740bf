import type { Timers } from "../domain/timers.ts";

/** The pauses between attempts. All of them can be ended early. */
export class Pauses {
  readonly #timers: Pick<Timers, "delay">;
  readonly #ends = new Set<() => void>();

  constructor(timers: Pick<Timers, "delay">) {
    this.#timers = timers;
  }

  /** Resolves after `ms` milliseconds, when `signal` is aborted, or with {@link endAll}, whichever is first. */
  wait(ms: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        cancel();
        signal?.removeEventListener("abort", end);
        this.#ends.delete(end);
        resolve();
      };
      const cancel = this.#timers.delay(ms, end);
      signal?.addEventListener("abort", end);
      this.#ends.add(end);
    });
  }

  endAll(): void {
    for (const end of [...this.#ends]) end();
  }
}

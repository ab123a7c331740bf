import type { Timers } from "../domain/timers.ts";

/** Milliseconds. The clock can jump, and a timer of Node waits for at most 25 days. */
const LONGEST_WAIT_MS = 3_600_000;

/** Runs a task when versions expire, by the clock of this machine: also while no server answers. */
export class ExpiryTimer {
  readonly #timers: Pick<Timers, "clock" | "delay">;
  readonly #expire: (now: number) => number;
  #next = Number.POSITIVE_INFINITY;
  #cancel = () => {};

  /** `expire` returns when the next version expires, in milliseconds since the epoch. */
  constructor(timers: Pick<Timers, "clock" | "delay">, expire: (now: number) => number) {
    this.#timers = timers;
    this.#expire = expire;
  }

  /** Another version expires at `time`. */
  add(time: number): void {
    if (time < this.#next) this.#wait(time);
  }

  stop(): void {
    this.#cancel();
  }

  #wait(time: number): void {
    this.#cancel();
    this.#next = time;
    if (time === Number.POSITIVE_INFINITY) return;
    const ms = Math.min(Math.max(0, time - this.#timers.clock()), LONGEST_WAIT_MS);
    this.#cancel = this.#timers.delay(ms, () => this.#wait(this.#expire(this.#timers.clock())));
  }
}

import type { Timers } from "../domain/timers.ts";

/** Milliseconds. The clock can jump, and a timer of Node waits for at most 25 days. */
const LONGEST_WAIT_MS = 3_600_000;

/**
 * Runs a task at given times by the clock of this machine, for example when a version expires, also while no server
 * answers. The clock can jump, so the task also runs once an hour until the next of these times.
 */
export class ClockTimer {
  readonly #timers: Pick<Timers, "clock" | "delay">;
  readonly #run: (now: number) => number;
  #next = Number.POSITIVE_INFINITY;
  #cancel = () => {};

  /** `run` returns the next time at which it has to run, in milliseconds since the epoch; Infinity for never. */
  constructor(timers: Pick<Timers, "clock" | "delay">, run: (now: number) => number) {
    this.#timers = timers;
    this.#run = run;
  }

  /** The task has to run at `time` as well. */
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
    this.#cancel = this.#timers.delay(ms, () => this.#wait(this.#run(this.#timers.clock())));
  }
}

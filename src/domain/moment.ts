import type { Timers } from "./timers.ts";

/** A moment in the past, by the clock of the machine and by the monotonic time. */
export class Moment {
  readonly #timers: Pick<Timers, "clock" | "elapsed">;
  readonly #elapsed: number;
  /** In milliseconds since the epoch. */
  readonly time: number;

  /** `time` is the present by default, or a time that an earlier process has recorded, in milliseconds since the epoch. */
  constructor(timers: Pick<Timers, "clock" | "elapsed">, time = timers.clock()) {
    this.#timers = timers;
    this.time = time;
    this.#elapsed = timers.elapsed() - Math.max(0, timers.clock() - time);
  }

  /**
   * The milliseconds since this moment, by the clock or by the monotonic time: the longer of the two durations. The clock
   * can be set back, and the monotonic time stands still while the machine is suspended.
   */
  get ageMs(): number {
    const { clock, elapsed } = this.#timers;
    return Math.max(0, clock() - this.time, elapsed() - this.#elapsed);
  }
}

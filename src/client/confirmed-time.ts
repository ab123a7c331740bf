import type { Timers } from "../domain/timers.ts";

/** When the server last confirmed what a cache has. */
export class ConfirmedTime {
  readonly #timers: Pick<Timers, "clock" | "elapsed">;
  #last: { readonly clock: number; readonly elapsed: number } | undefined;

  constructor(timers: Pick<Timers, "clock" | "elapsed">) {
    this.#timers = timers;
  }

  /** The server has confirmed it now. */
  confirm(): void {
    this.#last = { clock: this.#timers.clock(), elapsed: this.#timers.elapsed() };
  }

  /** An earlier process has recorded `time`, in milliseconds since the epoch. */
  restore(time: number): void {
    const { clock, elapsed } = this.#timers;
    this.#last = { clock: time, elapsed: elapsed() - Math.max(0, clock() - time) };
  }

  /** The time of the last confirmation, in milliseconds since the epoch; 0 if there was none. */
  get time(): number {
    return this.#last?.clock ?? 0;
  }

  /**
   * The milliseconds since the last confirmation; Infinity if there was none. The clock can jump, and the monotonic time
   * stands still while the machine sleeps, so this is the longer time of the two.
   */
  get ageMs(): number {
    if (this.#last === undefined) return Number.POSITIVE_INFINITY;
    const { clock, elapsed } = this.#timers;
    return Math.max(0, clock() - this.#last.clock, elapsed() - this.#last.elapsed);
  }
}

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

  /** In milliseconds since the epoch; 0 if it never was. */
  get time(): number {
    return this.#last?.clock ?? 0;
  }

  /**
   * The milliseconds since then; Infinity if it never was. The clock can jump, and the monotonic time stands still while
   * the machine sleeps, so it is the longer of the two.
   */
  get ageMs(): number {
    if (this.#last === undefined) return Number.POSITIVE_INFINITY;
    const { clock, elapsed } = this.#timers;
    return Math.max(0, clock() - this.#last.clock, elapsed() - this.#last.elapsed);
  }
}

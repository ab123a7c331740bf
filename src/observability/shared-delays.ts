/** Quantiles of the delays of an event loop, in seconds. */
export interface Delays {
  /** The quantiles 0.5, 0.99 and 1. */
  readonly median: number;
  readonly high: number;
  readonly longest: number;
}

/** The delays of a thread without a sample. */
export const NO_DELAYS: Delays = { median: 0, high: 0, longest: 0 };

/**
 * How many elements of the array each front has. They fill one line of the processor's cache, so that two fronts never
 * write to the same line.
 */
const REGION = 8;

/** The delays of the event loops of fronts, in memory that they share with the thread that has the metrics. */
export class SharedDelays {
  /** To be passed to the other threads. */
  readonly memory: SharedArrayBuffer;
  /** The number of scrapes in the first region, then one region for each front. */
  readonly #numbers: Float64Array;

  /** Delays in the memory of another thread's `SharedDelays`. */
  constructor(memory: SharedArrayBuffer) {
    this.memory = memory;
    this.#numbers = new Float64Array(memory);
  }

  /** No delays yet, for `fronts` fronts. */
  static of(fronts: number): SharedDelays {
    return new SharedDelays(new SharedArrayBuffer((1 + fronts) * REGION * Float64Array.BYTES_PER_ELEMENT));
  }

  /** The number of scrapes so far. */
  get scrapes(): number {
    return this.#numbers[0] ?? 0;
  }

  /** Reports the delays of a front, counted from 0. Only its thread calls it. */
  put(front: number, { median, high, longest }: Delays): void {
    this.#numbers.set([median, high, longest], (1 + front) * REGION);
  }

  /** Returns the delays of all fronts, and counts a scrape. */
  take(): readonly Delays[] {
    this.#numbers[0] = this.scrapes + 1;
    const fronts = this.#numbers.length / REGION - 1;
    return Array.from({ length: fronts }, (_, front) => {
      const [median = 0, high = 0, longest = 0] = this.#numbers.subarray((1 + front) * REGION);
      return { median, high, longest };
    });
  }
}

/** Counts of values between bounds, and the sum of the values, for a histogram of Prometheus. */
export interface DistributionReading {
  /** The upper bounds, ascending. */
  readonly bounds: readonly number[];
  /** The number of values above the previous bound and up to each bound; the last one is of those above all bounds. */
  readonly counts: readonly number[];
  readonly sum: number;
}

/** The index of the first bound that is not below a value; the number of bounds if all are below it. */
export function bucketOf(bounds: readonly number[], value: number): number {
  let bucket = 0;
  while (bucket < bounds.length && value > (bounds[bucket] ?? 0)) bucket += 1;
  return bucket;
}

/** Counts values as plain numbers. prom-client's histogram takes about a microsecond for each. */
export class Distribution implements DistributionReading {
  readonly bounds: readonly number[];
  readonly counts: number[];
  #sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = Array.from({ length: bounds.length + 1 }, () => 0);
  }

  get sum(): number {
    return this.#sum;
  }

  /** Counts one value. */
  observe(value: number): void {
    const bucket = bucketOf(this.bounds, value);
    this.counts[bucket] = (this.counts[bucket] ?? 0) + 1;
    this.#sum += value;
  }
}

/**
 * The number of open connections of each front, in memory that all fronts share. The accepting front counts a connection
 * when it places it; the front that owns the connection removes it when its socket is closed.
 */
export class ConnectionCounts {
  /** To be passed to the other fronts. */
  readonly memory: SharedArrayBuffer;
  readonly #counts: Int32Array;

  /** Counts in the memory of another thread's `ConnectionCounts`. */
  constructor(memory: SharedArrayBuffer) {
    this.memory = memory;
    this.#counts = new Int32Array(memory);
  }

  /** Zero for each of `fronts` fronts. */
  static of(fronts: number): ConnectionCounts {
    return new ConnectionCounts(new SharedArrayBuffer(fronts * Int32Array.BYTES_PER_ELEMENT));
  }

  /** Counts a connection of a front. Fronts have the numbers from 0. */
  add(front: number): void {
    Atomics.add(this.#counts, front, 1);
  }

  /** A connection of a front is closed. */
  remove(front: number): void {
    Atomics.sub(this.#counts, front, 1);
  }

  /** The number of connections of a front, including those on the way to it. */
  of(front: number): number {
    return Atomics.load(this.#counts, front);
  }

  /** The front with the fewest connections; of several, the first after `last`, in a circle. */
  fewest(last: number): number {
    const { length } = this.#counts;
    let fewest = (last + 1) % length;
    for (let step = 2; step <= length; step++) {
      const front = (last + step) % length;
      if (this.of(front) < this.of(fewest)) fewest = front;
    }
    return fewest;
  }
}

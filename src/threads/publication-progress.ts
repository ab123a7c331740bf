/** Part of ECMAScript 2024, which the library types of this project do not have. Every supported Node has it. */
const { waitAsync } = Atomics as unknown as {
  waitAsync(numbers: Int32Array, index: number, value: number): { readonly value: string | Promise<string> };
};

/**
 * Which publications the store thread has published and each front has applied, in memory that all threads share.
 * Publications, among them policies, are counted by a 32-bit number that wraps around, since 64-bit atomics would allocate at
 * each call.
 *
 * The store thread posts a publication to all fronts before it raises the number. A front that reads a higher number than
 * it has applied therefore finds the missing publications in its port.
 */
export class PublicationProgress {
  /** The memory to give to another thread. */
  readonly memory: SharedArrayBuffer;
  readonly #numbers: Int32Array;

  /** The progress in the memory of another thread's `PublicationProgress`. */
  constructor(memory: SharedArrayBuffer) {
    this.memory = memory;
    this.#numbers = new Int32Array(memory);
  }

  /** No publication yet, for `fronts` fronts. */
  static of(fronts: number): PublicationProgress {
    return new PublicationProgress(new SharedArrayBuffer((1 + fronts) * Int32Array.BYTES_PER_ELEMENT));
  }

  /** The number of the last publication. No change is answered before the number of its publication is here. */
  get published(): number {
    return Atomics.load(this.#numbers, 0);
  }

  set published(number: number) {
    Atomics.store(this.#numbers, 0, number);
    Atomics.notify(this.#numbers, 0);
  }

  /** Calls `task` in a later turn, once the number of the last publication differs from `number`. */
  onceChanged(number: number, task: () => void): void {
    const waiting = waitAsync(this.#numbers, 0, number);
    void Promise.resolve(waiting.value).then(task);
  }

  /** Whether reads may see a publication: its number has been raised. */
  isPublished(number: number): boolean {
    return distance(this.published, number) >= 0;
  }

  /** The number of the last publication that a front, counted from 0, has applied. */
  appliedBy(front: number): number {
    return Atomics.load(this.#numbers, 1 + front);
  }

  /** Reports that a front, counted from 0, has applied every publication up to a number. */
  applied(front: number, number: number): void {
    Atomics.store(this.#numbers, 1 + front, number);
  }

  /** The number of publications that the slowest front has yet to apply. */
  get lag(): number {
    const { published } = this;
    let lag = 0;
    for (let front = 1; front < this.#numbers.length; front++) {
      lag = Math.max(lag, distance(published, Atomics.load(this.#numbers, front)));
    }
    return lag;
  }

  /** Whether every front has applied a publication. */
  isApplied(number: number): boolean {
    return this.lag <= distance(this.published, number);
  }
}

/** The number after a publication's number. */
export function next(number: number): number {
  return (number + 1) | 0;
}

/** How many publications `later` is ahead of `earlier`. */
function distance(later: number, earlier: number): number {
  return (later - earlier) | 0;
}

/** The shape of a pool, in bytes. */
export interface PoolShape {
  /** The size of the chunks that buffers are cut from. */
  readonly chunk: number;
  /** The largest buffer that is cut from one; a larger one is an allocation of its own. */
  readonly largest: number;
}

/**
 * For content that is gone in a moment: opened for an answer, or sealed for a commit, after which the store has a copy.
 * Not Node's own pool, which everything else in the process shares: through `.buffer` a neighbour would reach what was
 * opened.
 */
export const TRANSIENT: PoolShape = { chunk: 64 * 1024, largest: 4096 };

/**
 * Cuts buffers from larger chunks. An allocation of its own costs as much as opening a small value, and each one that
 * stays is looked at by every garbage collection: with 100,000 of them a Get cost half as much again.
 */
export class BytePool {
  readonly #shape: PoolShape;
  #chunk = Buffer.alloc(0);
  #used = 0;

  constructor(shape: PoolShape) {
    this.#shape = shape;
  }

  /** A buffer that nobody else has, of unspecified content. */
  take(length: number): Buffer {
    if (length > this.#shape.largest) return Buffer.allocUnsafeSlow(length);
    if (this.#used + length > this.#chunk.length) {
      this.#chunk = Buffer.allocUnsafeSlow(this.#shape.chunk);
      this.#used = 0;
    }
    const start = this.#used;
    this.#used += length;
    return this.#chunk.subarray(start, this.#used);
  }
}

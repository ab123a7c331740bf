/** The shape of a pool, in bytes. */
export interface PoolShape {
  /** The size of the chunks from which buffers are taken. */
  readonly chunk: number;
  /** The size of the largest buffer that is taken from a chunk. A larger one is a separate allocation. */
  readonly largest: number;
}

/**
 * The shape for short-lived buffers: contents that are decrypted for a response, or encrypted for a commit, after which
 * the store has a copy. Node's own pool is not used, because all code of the process shares it, and could read
 * decrypted contents through the `.buffer` of its own Buffers.
 */
export const TRANSIENT: PoolShape = { chunk: 64 * 1024, largest: 4096 };

/**
 * Takes buffers from larger chunks. A separate allocation takes as long as decrypting a small value, and every garbage
 * collection visits each one that is alive: with 100,000 of them, a Get took 1.5 times as long.
 */
export class BytePool {
  readonly #shape: PoolShape;
  #chunk = Buffer.alloc(0);
  #used = 0;

  constructor(shape: PoolShape) {
    this.#shape = shape;
  }

  /** Returns an unshared buffer with unspecified content. */
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

const CHUNK_BYTES = 64 * 1024;

// Larger plaintexts are rare, and would waste the rest of a chunk.
const LARGEST_POOLED = 4096;

/**
 * Buffers for opened content: pieces of larger chunks, since an allocation of its own costs as much as opening a small
 * value. Not Node's pool, which everything else in the process shares: through `.buffer` a neighbour would reach them.
 */
export class PlaintextPool {
  #chunk = Buffer.alloc(0);
  #used = 0;

  /** A buffer that nobody else has, of unspecified content. */
  take(length: number): Buffer {
    if (length > LARGEST_POOLED) return Buffer.allocUnsafeSlow(length);
    if (this.#used + length > this.#chunk.length) {
      this.#chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES);
      this.#used = 0;
    }
    const start = this.#used;
    this.#used += length;
    return this.#chunk.subarray(start, this.#used);
  }
}

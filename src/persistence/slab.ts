/** Large enough that a million small values make few allocations, small enough that one survivor keeps little alive. */
const SLAB_BYTES = 1024 * 1024;

/** Values above this get memory of their own: they would leave too much of a slab unused. */
const LARGEST_PACKED_BYTES = SLAB_BYTES / 16;

/**
 * Packs copies of many small values into few large pieces of memory. A Buffer with memory of its own costs about 200
 * bytes more and a call to malloc. A slab is freed when none of its values is referenced any more.
 */
export class Slab {
  #memory: Buffer = Buffer.alloc(0);
  #used = 0;

  /** A copy of the value. */
  copy(value: Buffer): Buffer {
    if (value.length > LARGEST_PACKED_BYTES) return value;
    if (this.#used + value.length > this.#memory.length) this.#renew();
    const copy = this.#memory.subarray(this.#used, this.#used + value.length);
    copy.set(value);
    this.#used += value.length;
    return copy;
  }

  #renew(): void {
    this.#memory = Buffer.allocUnsafeSlow(SLAB_BYTES);
    this.#used = 0;
  }
}

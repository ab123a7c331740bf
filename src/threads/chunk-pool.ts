/**
 * How many bytes may be free. A group of changes releases about as many bytes as it adds, which is at most what the
 * budgets allow for the requests of all callers.
 */
const MAX_FREE_BYTES = 64 * 1024 * 1024;

/** The number of sizes between two powers of two. With fixed sizes, the memory of a chunk fits others of about its length. */
const SIZES_PER_POWER = 8;

/**
 * Shared memory for chunks, which is used again. A thread frees shared memory when its garbage collector finds that it is
 * no longer used, but V8 does not count shared memory when it decides when to collect: contents of 1 MB that are replaced
 * a thousand times would take 1 GB.
 */
export class ChunkPool {
  readonly #maxFreeBytes: number;
  /** The free memory, the oldest first. */
  #free: SharedArrayBuffer[] = [];
  #freeBytes = 0;

  constructor(maxFreeBytes = MAX_FREE_BYTES) {
    this.#maxFreeBytes = maxFreeBytes;
  }

  /** Returns memory of at least this length, and at most an eighth longer. */
  take(bytes: number): SharedArrayBuffer {
    const size = sizeOf(bytes);
    const index = this.#free.findLastIndex(({ byteLength }) => byteLength === size);
    return index === -1 ? new SharedArrayBuffer(size) : this.#remove(index);
  }

  /** Takes back memory that no thread reads any more. Above the maximum, the oldest is left to the garbage collectors. */
  give(memory: SharedArrayBuffer): void {
    this.#free.push(memory);
    this.#freeBytes += memory.byteLength;
    while (this.#freeBytes > this.#maxFreeBytes) this.#remove(0);
  }

  #remove(index: number): SharedArrayBuffer {
    const [memory] = this.#free.splice(index, 1);
    if (memory === undefined) throw new RangeError(`no free memory at ${index}`);
    this.#freeBytes -= memory.byteLength;
    return memory;
  }
}

function sizeOf(bytes: number): number {
  const step = Math.max(1, 2 ** Math.floor(Math.log2(bytes)) / SIZES_PER_POWER);
  return Math.ceil(bytes / step) * step;
}

/** The sealed bytes of a version. They can move, so call {@link SealedBytes.bytes} for each use. */
export interface SealedBytes {
  readonly length: number;
  /** A view, valid until the next change of the store. */
  bytes(): Buffer;
}

/** The size of a chunk. It is large, so that the unused bytes at its end are a small part of it. */
const CHUNK_BYTES = 256 * 1024;

/** Longer sealed bytes get their own chunk. */
const LONGEST_PACKED_BYTES = CHUNK_BYTES / 16;

/** When less than this part of a chunk is in use, its remaining bytes move to the current chunk. */
const MINIMUM_USE = 7 / 8;

/**
 * Packs the sealed bytes of all versions into few large chunks of memory. A separate Buffer for each version would take
 * about 200 more bytes, and each garbage collection would visit it. One remaining version would keep the memory of its
 * whole chunk. Therefore, when less than 7/8 of a chunk is in use, its remaining bytes move to the current chunk. All
 * chunks together are at most a seventh larger than the bytes in use.
 */
export class SealedMemory {
  #current = new Chunk(Buffer.alloc(0));

  /** Adds a copy of the bytes. Long bytes that own their memory are not copied. */
  add(bytes: Buffer): SealedBytes {
    return this.#place(new Resident(bytes.length), bytes);
  }

  /** Releases bytes that {@link add} returned. They must not be read afterwards. */
  release(sealed: SealedBytes): void {
    if (!(sealed instanceof Resident)) throw new Error("released sealed bytes that this memory did not add");
    const { chunk } = sealed;
    chunk.remove(sealed);
    if (chunk !== this.#current) this.#compact(chunk);
  }

  #compact(chunk: Chunk): void {
    if (chunk.use >= MINIMUM_USE) return;
    for (const resident of chunk.residents()) this.#place(resident, resident.bytes());
  }

  #place(resident: Resident, bytes: Buffer): Resident {
    if (bytes.length > LONGEST_PACKED_BYTES) new Chunk(withOwnMemory(bytes)).add(resident);
    else {
      if (bytes.length > this.#current.free) this.#startChunk();
      this.#current.addCopy(resident, bytes);
    }
    return resident;
  }

  #startChunk(): void {
    const full = this.#current;
    this.#current = new Chunk(Buffer.allocUnsafeSlow(CHUNK_BYTES));
    this.#compact(full);
  }
}

function withOwnMemory(bytes: Buffer): Buffer {
  if (bytes.buffer.byteLength === bytes.length) return bytes;
  const own = Buffer.allocUnsafeSlow(bytes.length);
  own.set(bytes);
  return own;
}

class Resident implements SealedBytes {
  readonly length: number;
  /** Set by {@link Chunk.add}. */
  chunk: Chunk = NO_CHUNK;
  at = 0;

  constructor(length: number) {
    this.length = length;
  }

  bytes(): Buffer {
    return this.chunk.memory.subarray(this.at, this.at + this.length);
  }
}

class Chunk {
  readonly memory: Buffer;
  readonly #residents: Resident[] = [];
  #end = 0;
  #used = 0;

  constructor(memory: Buffer) {
    this.memory = memory;
  }

  get free(): number {
    return this.memory.length - this.#end;
  }

  /** The part of the chunk that is in use, from 0 to 1. */
  get use(): number {
    return this.#used / this.memory.length;
  }

  addCopy(resident: Resident, bytes: Buffer): void {
    this.memory.set(bytes, this.#end);
    this.add(resident);
  }

  add(resident: Resident): void {
    resident.chunk = this;
    resident.at = this.#end;
    this.#end += resident.length;
    this.#used += resident.length;
    this.#residents.push(resident);
  }

  remove(resident: Resident): void {
    this.#used -= resident.length;
    resident.chunk = NO_CHUNK;
  }

  residents(): readonly Resident[] {
    return this.#residents.filter((resident) => resident.chunk === this);
  }
}

/** The chunk of bytes that are not placed yet, or are released. */
const NO_CHUNK = new Chunk(Buffer.alloc(0));

import type { SealedBytes, SealedContents } from "./sealed-contents.ts";

/** The size of a chunk. It is large, so that the unused bytes at its end are a small part of it. */
const CHUNK_BYTES = 256 * 1024;

/** Longer sealed bytes get their own chunk. */
const LONGEST_PACKED_BYTES = CHUNK_BYTES / 16;

/** When less than this part of a chunk is in use, its remaining bytes move to the current chunk. */
const MINIMUM_USE = 7 / 8;

/** A piece of memory that contains sealed bytes. */
export interface Chunk {
  readonly memory: Buffer;
}

/** Where sealed bytes are. */
export interface Place {
  readonly chunk: Chunk;
  /** The offset of the first byte. */
  readonly at: number;
}

/** Where {@link SealedMemory} gets its memory, and what becomes of the bytes that are no longer in use. */
export interface ChunkMemory {
  /** Returns the memory of a new chunk. */
  allocate(bytes: number): Buffer;
  /** Bytes are no longer in use: their version is gone, or they were moved. Overwrites them, now or later. */
  discard(bytes: Buffer): void;
  /** Bytes have a new place. The old one is discarded next. */
  moved(from: Place, to: Place): void;
  /** A chunk contains nothing any more. It will not be used again; its memory may be. */
  dropped(chunk: Chunk): void;
}

/** Memory of this thread alone. */
const ownChunkMemory: ChunkMemory = {
  allocate: (bytes) => Buffer.allocUnsafeSlow(bytes),
  discard: (bytes) => void bytes.fill(0),
  moved: () => {},
  dropped: () => {},
};

/**
 * Packs the sealed bytes of all versions into few large chunks of memory. A separate Buffer for each version would take
 * about 200 more bytes, and each garbage collection would visit it. One remaining version would keep the memory of its
 * whole chunk. Therefore, when less than 7/8 of a chunk is in use, its remaining bytes move to the current chunk. All
 * chunks together are at most a seventh larger than the bytes in use. A place in a chunk is never used twice.
 */
export class SealedMemory implements SealedContents<Buffer> {
  readonly #memory: ChunkMemory;
  #current: PackedChunk;

  constructor(memory: ChunkMemory = ownChunkMemory) {
    this.#memory = memory;
    this.#current = new PackedChunk(Buffer.alloc(0));
  }

  /** Adds a copy of the bytes. */
  add(bytes: Buffer): SealedBytes {
    return this.#place(new Resident(bytes.length), bytes);
  }

  /** Where bytes are that {@link add} returned; undefined after their release, or if a version has no content. */
  placeOf(sealed: SealedBytes): Place | undefined {
    if (sealed.length === 0) return undefined;
    const resident = residentOf(sealed);
    return resident.chunk === NO_CHUNK ? undefined : resident;
  }

  /** Releases bytes that {@link add} returned. They must not be read afterwards. */
  release(sealed: SealedBytes): void {
    const resident = residentOf(sealed);
    const { chunk } = resident;
    this.#memory.discard(resident.bytes());
    chunk.remove(resident);
    if (chunk !== this.#current) this.#compact(chunk);
  }

  #compact(chunk: PackedChunk): void {
    if (chunk.use >= MINIMUM_USE) return;
    for (const resident of chunk.residents()) this.#move(resident);
    this.#memory.dropped(chunk);
  }

  #move(resident: Resident): void {
    const from = { chunk: resident.chunk, at: resident.at };
    const bytes = resident.bytes();
    this.#place(resident, bytes);
    this.#memory.moved(from, resident);
    this.#memory.discard(bytes);
  }

  #place(resident: Resident, bytes: Buffer): Resident {
    if (bytes.length > LONGEST_PACKED_BYTES) {
      new PackedChunk(this.#memory.allocate(bytes.length)).addCopy(resident, bytes);
    } else {
      if (bytes.length > this.#current.free) this.#startChunk();
      this.#current.addCopy(resident, bytes);
    }
    return resident;
  }

  #startChunk(): void {
    const full = this.#current;
    this.#current = new PackedChunk(this.#memory.allocate(CHUNK_BYTES));
    this.#compact(full);
  }
}

function residentOf(sealed: SealedBytes): Resident {
  if (!(sealed instanceof Resident)) throw new Error("sealed bytes of another memory");
  return sealed;
}

class Resident implements SealedBytes, Place {
  readonly length: number;
  /** Set by {@link PackedChunk.addCopy}. */
  chunk: PackedChunk = NO_CHUNK;
  at = 0;

  constructor(length: number) {
    this.length = length;
  }

  bytes(): Buffer {
    return this.chunk.memory.subarray(this.at, this.at + this.length);
  }
}

class PackedChunk implements Chunk {
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
    return this.memory.length === 0 ? 1 : this.#used / this.memory.length;
  }

  addCopy(resident: Resident, bytes: Buffer): void {
    this.memory.set(bytes, this.#end);
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
const NO_CHUNK = new PackedChunk(Buffer.alloc(0));

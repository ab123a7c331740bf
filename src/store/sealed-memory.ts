/** Sealed bytes that a version holds. Where they lie may change; call {@link SealedBytes.bytes} each time. */
export interface SealedBytes {
  readonly length: number;
  /** A view, valid until the next change of the store. */
  bytes(): Buffer;
}

/** Bytes of a chunk. Large, so that what does not fit at its end is a small part of it. */
const CHUNK_BYTES = 256 * 1024;

/** Longer bytes have memory of their own. */
const LONGEST_PACKED_BYTES = CHUNK_BYTES / 16;

/** A chunk of which less than this part is in use is given up, and what is left in it moves. */
const LEAST_USE = 7 / 8;

/**
 * Packs the sealed bytes of all versions into few large pieces of memory: a Buffer of its own for each costs about 200
 * bytes more, and every garbage collection looks at it. A chunk with one version left would keep all its memory, so the
 * content of a chunk that is less than 7/8 in use moves: what is held is at most a seventh more than what is kept.
 */
export class SealedMemory {
  #current = new Chunk(Buffer.alloc(0));

  /** A copy of the bytes, or the bytes themselves where they are long and have their memory for themselves. */
  keep(bytes: Buffer): SealedBytes {
    return this.#place(new Resident(bytes.length), bytes);
  }

  /** The bytes of a version that is no longer retained. They came from {@link keep}, and are not read any more. */
  release(sealed: SealedBytes): void {
    if (!(sealed instanceof Resident)) throw new Error("sealed bytes are released that were not kept");
    const { chunk } = sealed;
    chunk.remove(sealed);
    if (chunk !== this.#current) this.#giveUpUnused(chunk);
  }

  #giveUpUnused(chunk: Chunk): void {
    if (chunk.use >= LEAST_USE) return;
    for (const resident of chunk.residents()) this.#place(resident, resident.bytes());
  }

  #place(resident: Resident, bytes: Buffer): Resident {
    if (bytes.length > LONGEST_PACKED_BYTES) new Chunk(withOwnMemory(bytes)).add(resident);
    else {
      if (bytes.length > this.#current.room) this.#startChunk();
      this.#current.addCopy(resident, bytes);
    }
    return resident;
  }

  #startChunk(): void {
    const full = this.#current;
    this.#current = new Chunk(Buffer.allocUnsafeSlow(CHUNK_BYTES));
    this.#giveUpUnused(full);
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
  /** Set when it is placed. */
  chunk: Chunk = NOWHERE;
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

  get room(): number {
    return this.memory.length - this.#end;
  }

  /** The part of it that is in use, up to its end. */
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
    resident.chunk = NOWHERE;
  }

  residents(): readonly Resident[] {
    return this.#residents.filter((resident) => resident.chunk === this);
  }
}

/** The chunk of bytes that are not placed, or not kept any more. */
const NOWHERE = new Chunk(Buffer.alloc(0));

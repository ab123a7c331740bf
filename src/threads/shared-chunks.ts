import type { Chunk, ChunkMemory, Place } from "../store/sealed-memory.ts";
import type { Location } from "./change-columns.ts";
import { ChunkPool } from "./chunk-pool.ts";
import { ColumnReader, ColumnWriter, type Columns } from "./columns.ts";

/** Sealed bytes that got a new place. */
export interface Move {
  readonly from: number;
  readonly fromAt: number;
  readonly to: number;
  readonly toAt: number;
}

/** The moves that {@link ChunkChanges} contains. */
export function movesIn({ moves }: ChunkChanges): Move[] {
  const reader = new ColumnReader(moves);
  const all: Move[] = [];
  while (!reader.isOver) {
    all.push({ from: reader.number(), fromAt: reader.number(), to: reader.number(), toAt: reader.number() });
  }
  return all;
}

/** What happened to the chunks since the previous publication. */
export interface ChunkChanges {
  readonly created: readonly { readonly chunk: number; readonly memory: SharedArrayBuffer }[];
  /** The fields of each {@link Move}. While Puts replace old versions, each of them causes about seven moves. */
  readonly moves: Columns;
  /** Chunks without content. Their numbers are not used again. */
  readonly dropped: readonly number[];
}

/** Bytes and memories of chunks that are no longer in use after a front has applied this publication. */
interface Discarded {
  readonly publication: number;
  readonly bytes: readonly Buffer[];
  readonly memories: readonly SharedArrayBuffer[];
}

/**
 * The chunks of sealed bytes, in memory that all threads share. Only the store thread writes to it. After a front has
 * applied a publication, it no longer reads the bytes that the publication discards. When every front has applied it,
 * these bytes are overwritten, and the memory of a discarded chunk can be used for another one. If this happened
 * earlier, a Get on a front that is behind would fail.
 */
export class SharedChunks implements ChunkMemory {
  readonly #numbers = new WeakMap<Buffer, number>();
  #last = 0;
  #created: { chunk: number; memory: SharedArrayBuffer }[] = [];
  #moves = new ColumnWriter();
  #dropped: number[] = [];
  #unused: Buffer[] = [];
  #unusedMemories: SharedArrayBuffer[] = [];
  readonly #pool = new ChunkPool();
  #discarded: Discarded[] = [];

  allocate(bytes: number): Buffer {
    const memory = this.#pool.take(bytes);
    const buffer = Buffer.from(memory, 0, bytes);
    this.#last += 1;
    this.#numbers.set(buffer, this.#last);
    this.#created.push({ chunk: this.#last, memory });
    return buffer;
  }

  discard(bytes: Buffer): void {
    this.#unused.push(bytes);
  }

  moved(from: Place, to: Place): void {
    for (const number of [this.#number(from.chunk), from.at, this.#number(to.chunk), to.at]) this.#moves.number(number);
  }

  dropped(chunk: Chunk): void {
    this.#dropped.push(this.#number(chunk));
    this.#unusedMemories.push(chunk.memory.buffer as SharedArrayBuffer);
  }

  /** The location that names a place to other threads. */
  locate({ chunk, at }: Place, length: number): Location {
    return { chunk: this.#number(chunk), at, length };
  }

  /**
   * The changes since the last call; undefined if there are none. `publication` is the number of the one that sends
   * them.
   */
  take(publication: number): ChunkChanges | undefined {
    if (this.#unused.length + this.#unusedMemories.length > 0) {
      this.#discarded.push({ publication, bytes: this.#unused, memories: this.#unusedMemories });
    }
    this.#unused = [];
    this.#unusedMemories = [];
    const changes = { created: this.#created, moves: this.#moves.end(), dropped: this.#dropped };
    const { created, moves, dropped } = changes;
    if (created.length + moves.numbers.length + dropped.length === 0) return undefined;
    this.#created = [];
    this.#moves = new ColumnWriter();
    this.#dropped = [];
    return changes;
  }

  /** Whether bytes wait to be overwritten. */
  get hasDiscarded(): boolean {
    return this.#discarded.length > 0;
  }

  /** Overwrites the bytes that no front reads any more, and frees their chunks. */
  overwrite(isApplied: (publication: number) => boolean): void {
    const pending = this.#discarded.findIndex(({ publication }) => !isApplied(publication));
    const ready = this.#discarded.splice(0, pending === -1 ? this.#discarded.length : pending);
    for (const { bytes, memories } of ready) {
      for (const unused of bytes) unused.fill(0);
      for (const memory of memories) this.#pool.give(memory);
    }
  }

  #number({ memory }: Chunk): number {
    const number = this.#numbers.get(memory);
    if (number === undefined) throw new Error("a chunk that is not in shared memory");
    return number;
  }
}

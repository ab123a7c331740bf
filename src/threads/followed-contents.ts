import type { SealedBytes, SealedContents } from "../store/sealed-contents.ts";
import { REMOVED } from "./batch.ts";
import type { Location } from "./change-columns.ts";
import { type ChunkChanges, type Move, movesIn } from "./shared-chunks.ts";

const NOTHING = Buffer.alloc(0);

/** The sealed contents as a front finds them in shared memory. It copies nothing. */
export class FollowedContents implements SealedContents<Location> {
  readonly #chunks = new Map<number, FollowedChunk>();

  add({ chunk, at, length }: Location): SealedBytes {
    if (chunk === REMOVED) return { length, bytes: () => NOTHING };
    const content = new FollowedContent(this.#chunk(chunk), at, length);
    content.chunk.contents.push(content);
    return content;
  }

  /** Does nothing, because the store thread overwrites the bytes. */
  release(): void {}

  /** Takes new chunks. Call it before the entries of the same publication are published. */
  create({ created }: ChunkChanges): void {
    for (const { chunk, memory } of created) this.#chunks.set(chunk, { memory: Buffer.from(memory), contents: [] });
  }

  /** Applies moves, and removes dropped chunks. Call it after the entries of the same publication are published. */
  rearrange(changes: ChunkChanges): void {
    for (const [chunk, those] of byChunk(movesIn(changes))) this.#move(this.#chunk(chunk), those);
    for (const chunk of changes.dropped) this.#chunks.delete(chunk);
  }

  /** A content that was added by the same publication is not found here: its location is the one after the moves. */
  #move(from: FollowedChunk, moves: readonly Move[]): void {
    const byOffset = new Map(moves.map((move) => [move.fromAt, move]));
    for (const content of from.contents) {
      const move = content.chunk === from ? byOffset.get(content.at) : undefined;
      if (move === undefined) continue;
      content.chunk = this.#chunk(move.to);
      content.at = move.toAt;
      content.chunk.contents.push(content);
    }
  }

  #chunk(number: number): FollowedChunk {
    const chunk = this.#chunks.get(number);
    if (chunk === undefined) throw new Error(`chunk ${number} of the sealed contents is missing`);
    return chunk;
  }
}

interface FollowedChunk {
  readonly memory: Buffer;
  /** The contents that were placed in the chunk, also those that have been released or moved since. */
  readonly contents: FollowedContent[];
}

class FollowedContent implements SealedBytes {
  chunk: FollowedChunk;
  at: number;
  readonly length: number;

  constructor(chunk: FollowedChunk, at: number, length: number) {
    this.chunk = chunk;
    this.at = at;
    this.length = length;
  }

  bytes(): Buffer {
    return this.chunk.memory.subarray(this.at, this.at + this.length);
  }
}

/** The moves by the chunk that they leave, in the order in which the chunks were left. */
function byChunk(moves: readonly Move[]): Map<number, Move[]> {
  const chunks = new Map<number, Move[]>();
  for (const move of moves) {
    const those = chunks.get(move.from);
    if (those === undefined) chunks.set(move.from, [move]);
    else those.push(move);
  }
  return chunks;
}

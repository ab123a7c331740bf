import type { SecretPath } from "../domain/secret-path.ts";

// A chunk that exceeds this number of paths is split. It is small enough that an insertion moves little memory, and
// large enough that a million paths need a short list of chunks.
const CHUNK_CAPACITY = 512;

/**
 * The paths of all secrets in order, in a sorted list of sorted chunks. An insertion into one sorted array of a million
 * paths would move megabytes. Here it moves at most one chunk.
 */
export class PathIndex {
  readonly #chunks: SecretPath[][] = [];

  /** Adds a path that is not in the index. */
  add(path: SecretPath): void {
    const at = Math.max(0, this.#chunkFor(path));
    const chunk = this.#chunks[at];
    if (chunk === undefined) {
      this.#chunks.push([path]);
      return;
    }
    chunk.splice(lowerBound(chunk, path), 0, path);
    if (chunk.length > CHUNK_CAPACITY) this.#chunks.splice(at + 1, 0, chunk.splice(splitPoint(this.#chunks, at)));
  }

  /** Removes a path that is in the index. */
  remove(path: SecretPath): void {
    const at = this.#chunkFor(path);
    const chunk = this.#chunks[at];
    const index = chunk === undefined ? 0 : lowerBound(chunk, path);
    if (chunk?.[index] !== path) throw new Error(`${path} is not in the index`);
    chunk.splice(index, 1);
    if (chunk.length === 0) this.#chunks.splice(at, 1);
  }

  /** The first path that is not less than `start`; undefined if there is none. */
  atOrAfter(start: string): SecretPath | undefined {
    const at = Math.max(0, this.#chunkFor(start));
    const chunk = this.#chunks[at];
    if (chunk === undefined) return undefined;
    return chunk[lowerBound(chunk, start)] ?? this.#chunks[at + 1]?.[0];
  }

  /** The index of the last chunk that begins at or before `path`; -1 if there is none. */
  #chunkFor(path: string): number {
    let low = 0;
    let high = this.#chunks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const first = this.#chunks[middle]?.[0];
      if (first !== undefined && first <= path) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}

/** The index of the first element that is not less than `path`. */
function lowerBound(chunk: readonly SecretPath[], path: string): number {
  let low = 0;
  let high = chunk.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const candidate = chunk[middle];
    if (candidate !== undefined && candidate < path) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * Splits a chunk in the middle, but the last chunk at its end. Otherwise paths that arrive in order would leave every
 * chunk half empty.
 */
function splitPoint(chunks: readonly SecretPath[][], at: number): number {
  return at === chunks.length - 1 ? CHUNK_CAPACITY : CHUNK_CAPACITY / 2;
}

// A chunk that exceeds this number of items is split. It is small enough that an insertion moves little memory, and
// large enough that a million items need a short list of chunks.
const CHUNK_CAPACITY = 512;

/**
 * Items in the order of their keys, in a sorted list of sorted chunks. An insertion into one sorted array of a million
 * items would move megabytes. Here it moves at most one chunk. An item that is added at the end is only compared with the
 * last one.
 */
export class SortedChunks<Item, Key> {
  /** None is empty. */
  readonly #chunks: Item[][] = [];
  readonly #isBefore: (item: Item, key: Key) => boolean;

  /** `isBefore` returns whether the key of an item is less than a key. */
  constructor(isBefore: (item: Item, key: Key) => boolean) {
    this.#isBefore = isBefore;
  }

  /** Adds an item whose key no other item has. */
  add(item: Item, key: Key): void {
    const at = Math.min(this.#chunkFor(key), this.#chunks.length - 1);
    const chunk = this.#chunks[at];
    if (chunk === undefined) {
      this.#chunks.push([item]);
      return;
    }
    chunk.splice(this.#lowerBound(chunk, key), 0, item);
    if (chunk.length > CHUNK_CAPACITY) this.#chunks.splice(at + 1, 0, chunk.splice(this.#splitPoint(at)));
  }

  /** Removes an item. Returns false if it is not found at its key. */
  remove(item: Item, key: Key): boolean {
    const at = this.#chunkFor(key);
    const chunk = this.#chunks[at];
    if (chunk === undefined) return false;
    const index = this.#lowerBound(chunk, key);
    if (chunk[index] !== item) return false;
    chunk.splice(index, 1);
    if (chunk.length === 0) this.#chunks.splice(at, 1);
    else this.#join(at);
    return true;
  }

  /** The first item whose key is not less than `key`; undefined if there is none. */
  atOrAfter(key: Key): Item | undefined {
    const chunk = this.#chunks[this.#chunkFor(key)];
    return chunk?.[this.#lowerBound(chunk, key)];
  }

  /** The number of items whose keys are not less than `from`, and less than `to`. */
  count(from: Key, to: Key): number {
    const [first, last] = [this.#chunkFor(from), this.#chunkFor(to)];
    let count = this.#indexIn(last, to) - this.#indexIn(first, from);
    for (const { length } of this.#chunks.slice(first, last)) count += length;
    return count;
  }

  #indexIn(at: number, key: Key): number {
    const chunk = this.#chunks[at];
    return chunk === undefined ? 0 : this.#lowerBound(chunk, key);
  }

  /** The index of the first chunk whose last item is not before `key`; the number of chunks if there is none. */
  #chunkFor(key: Key): number {
    const last = this.#chunks.at(-1);
    if (last === undefined || this.#ends(last, key)) return this.#chunks.length;
    return firstIndex(this.#chunks, (chunk) => !this.#ends(chunk, key));
  }

  #ends(chunk: readonly Item[], key: Key): boolean {
    const item = chunk.at(-1);
    return item !== undefined && this.#isBefore(item, key);
  }

  /** The index of the first item that is not before `key`. */
  #lowerBound(chunk: readonly Item[], key: Key): number {
    return this.#ends(chunk, key) ? chunk.length : firstIndex(chunk, (item) => !this.#isBefore(item, key));
  }

  /**
   * Splits a chunk in the middle, but the last chunk at its end. Otherwise items that arrive in order would leave every
   * chunk half empty.
   */
  #splitPoint(at: number): number {
    return at === this.#chunks.length - 1 ? CHUNK_CAPACITY : CHUNK_CAPACITY / 2;
  }

  /** Joins a chunk with a neighbour if they are small. Otherwise removals could leave a chunk for each item. */
  #join(at: number): void {
    for (const left of [at, at - 1]) {
      const [first, second] = [this.#chunks[left], this.#chunks[left + 1]];
      if (first === undefined || second === undefined) continue;
      if (first.length + second.length > CHUNK_CAPACITY / 2) continue;
      this.#chunks.splice(left, 2, [...first, ...second]);
      return;
    }
  }
}

/** The index of the first element for which `applies` returns true. It does so for all elements after that one, too. */
function firstIndex<Element>(elements: readonly Element[], applies: (element: Element) => boolean): number {
  let low = 0;
  let high = elements.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (applies(elements[middle] as Element)) high = middle;
    else low = middle + 1;
  }
  return low;
}

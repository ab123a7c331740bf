/**
 * Values that wait, at most one for each key, in the order in which they were last put. To take the first takes the same
 * time for any number of values: a new iterator of a Map visits the places of all values that were removed from its
 * beginning, so taking a hundred thousand values with a new iterator for each takes seconds. This one keeps its iterator.
 */
export class KeyedQueue<Key, Value> {
  readonly #values = new Map<Key, Value>();
  #first = this.#values.entries();

  get size(): number {
    return this.#values.size;
  }

  has(key: Key): boolean {
    return this.#values.has(key);
  }

  get(key: Key): Value | undefined {
    return this.#values.get(key);
  }

  /** Adds a value at the end, in place of that of the same key. */
  put(key: Key, value: Value): void {
    this.#values.delete(key);
    this.#values.set(key, value);
  }

  delete(key: Key): boolean {
    return this.#values.delete(key);
  }

  /** Removes and returns the first value, with its key; undefined if there is none. */
  take(): [Key, Value] | undefined {
    let next = this.#first.next();
    if (next.done === true) {
      // An iterator that has reached the end stays there, also if values are added.
      this.#first = this.#values.entries();
      next = this.#first.next();
    }
    if (next.done === true) return undefined;
    this.#values.delete(next.value[0]);
    return next.value;
  }

  clear(): void {
    this.#values.clear();
  }

  /** The values in order. */
  values(): Iterable<Value> {
    return this.#values.values();
  }
}

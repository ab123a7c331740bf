import { KeyedQueue } from "../domain/keyed-queue.ts";

/**
 * Items that wait, by caller. The items of one caller keep their order, and the callers take turns: before the first item of
 * a caller, and between two of them, at most one item of each other caller is taken. So a caller with thousands of items
 * delays a single item of another one by one item.
 */
export class FairQueue<Item> {
  /** The caller whose turn is next comes first. Each has at least one item. */
  readonly #callers = new KeyedQueue<string, Item[]>();

  get isEmpty(): boolean {
    return this.#callers.size === 0;
  }

  add(caller: string, item: Item): void {
    const items = this.#callers.get(caller);
    if (items === undefined) this.#callers.put(caller, [item]);
    else items.push(item);
  }

  /** Removes and returns the next item; undefined if there is none. */
  next(): Item | undefined {
    const first = this.#callers.take();
    if (first === undefined) return undefined;
    const [caller, items] = first;
    const item = items.shift();
    if (items.length > 0) this.#callers.put(caller, items);
    return item;
  }

  /** Removes and returns all items. */
  clear(): Item[] {
    const items = [...this.#callers.values()].flat();
    this.#callers.clear();
    return items;
  }
}

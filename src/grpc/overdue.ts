import type { Timers } from "../domain/timers.ts";

/** An item that an {@link Overdue} can hold. It belongs to at most one at a time, which alone uses its members. */
export class TimedItem {
  overdue: unknown;
  began = 0;
  earlier: TimedItem | undefined;
  later: TimedItem | undefined;
}

/**
 * Items that have to end within a fixed time. A single timer waits for the oldest item. A timer for each call would
 * cost more than the rest of the call's bookkeeping, and almost none of them would ever fire. The items form a linked
 * list through their own members: each call adds and removes an item, and entries of a Map would cost more than the rest
 * of this class.
 */
export class Overdue<Item extends TimedItem> {
  readonly #timers: Pick<Timers, "elapsed" | "delay">;
  readonly #limitMs: number;
  readonly #expire: (item: Item) => void;
  #oldest: Item | undefined;
  #newest: Item | undefined;
  #size = 0;
  #cancel: (() => void) | undefined;

  /** `expire` is called with each item that has not ended within `limitMs` milliseconds. */
  constructor(timers: Pick<Timers, "elapsed" | "delay">, limitMs: number, expire: (item: Item) => void) {
    this.#timers = timers;
    this.#limitMs = limitMs;
    this.#expire = expire;
  }

  /** The number of items. */
  get size(): number {
    return this.#size;
  }

  /** Starts the time of an item. Does nothing if it is running already. */
  begin(item: Item): void {
    if (item.overdue === this) return;
    item.overdue = this;
    item.began = this.#timers.elapsed();
    item.earlier = this.#newest;
    if (this.#newest === undefined) this.#oldest = item;
    else this.#newest.later = item;
    this.#newest = item;
    this.#size += 1;
    if (this.#cancel === undefined) this.#wait(this.#limitMs);
  }

  /** Removes an item, if it is present. */
  end(item: Item): void {
    if (item.overdue !== this) return;
    const { earlier, later } = item;
    if (earlier === undefined) this.#oldest = later as Item | undefined;
    else earlier.later = later;
    if (later === undefined) this.#newest = earlier as Item | undefined;
    else later.earlier = earlier;
    // An item that has ended must not keep its neighbours in memory.
    item.overdue = item.earlier = item.later = undefined;
    this.#size -= 1;
  }

  /** Removes the oldest item before its time is over, and calls `expire` with it. */
  expireOldest(): void {
    const oldest = this.#oldest;
    if (oldest === undefined) return;
    this.end(oldest);
    this.#expire(oldest);
  }

  /** Removes all items, and cancels the timer. */
  close(): void {
    while (this.#oldest !== undefined) this.end(this.#oldest);
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #wait(ms: number): void {
    this.#cancel = this.#timers.delay(ms, () => this.#look());
  }

  /** Keeps `#cancel` set until the end, so that an item that `expire` begins again does not start a second timer. */
  #look(): void {
    const now = this.#timers.elapsed();
    for (let item = this.#oldest; item !== undefined; item = this.#oldest) {
      const left = item.began + this.#limitMs - now;
      if (left > 0) {
        this.#wait(left);
        return;
      }
      this.end(item);
      this.#expire(item);
    }
    this.#cancel = undefined;
  }
}

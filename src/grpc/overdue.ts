import type { Timers } from "../domain/timers.ts";

/**
 * Items that have to end within a fixed time. A single timer waits for the oldest item. A timer for each call would
 * cost more than the rest of the call's bookkeeping, and almost none of them would ever fire.
 */
export class Overdue<Item> {
  readonly #timers: Pick<Timers, "elapsed" | "delay">;
  readonly #limitMs: number;
  readonly #expire: (item: Item) => void;
  /** When each item began, the oldest first. */
  readonly #began = new Map<Item, number>();
  #cancel: (() => void) | undefined;

  /** `expire` is called with each item that has not ended within `limitMs` milliseconds. */
  constructor(timers: Pick<Timers, "elapsed" | "delay">, limitMs: number, expire: (item: Item) => void) {
    this.#timers = timers;
    this.#limitMs = limitMs;
    this.#expire = expire;
  }

  /** Starts the time of an item. Does nothing if it is running already. */
  begin(item: Item): void {
    if (this.#began.has(item)) return;
    this.#began.set(item, this.#timers.elapsed());
    if (this.#cancel === undefined) this.#wait(this.#limitMs);
  }

  /** Removes an item, if it is present. */
  end(item: Item): void {
    this.#began.delete(item);
  }

  /** Removes all items, and cancels the timer. */
  close(): void {
    this.#began.clear();
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #wait(ms: number): void {
    this.#cancel = this.#timers.delay(ms, () => this.#look());
  }

  /**
   * Expires the items whose time is over, and waits for the next. Keeps `#cancel` set until the end, so that an item
   * that `expire` begins again does not start a second timer.
   */
  #look(): void {
    const now = this.#timers.elapsed();
    for (const [item, began] of this.#began) {
      const left = began + this.#limitMs - now;
      if (left > 0) {
        this.#wait(left);
        return;
      }
      this.#began.delete(item);
      this.#expire(item);
    }
    this.#cancel = undefined;
  }
}

import type { Timers } from "../domain/timers.ts";

/**
 * What has to be over in a fixed time. One timer waits for the oldest: a timer for each call would cost more than the
 * call's other bookkeeping, and almost none of them would ever run.
 */
export class Overdue<Item> {
  readonly #timers: Pick<Timers, "elapsed" | "delay">;
  readonly #limitMs: number;
  readonly #expire: (item: Item) => void;
  /** When each began, the oldest first. */
  readonly #began = new Map<Item, number>();
  #cancel: (() => void) | undefined;

  /** `expire` is called with an item that was not over in `limitMs` milliseconds. */
  constructor(timers: Pick<Timers, "elapsed" | "delay">, limitMs: number, expire: (item: Item) => void) {
    this.#timers = timers;
    this.#limitMs = limitMs;
    this.#expire = expire;
  }

  /** The time of an item begins, once. */
  begin(item: Item): void {
    if (this.#began.has(item)) return;
    this.#began.set(item, this.#timers.elapsed());
    if (this.#cancel === undefined) this.#wait(this.#limitMs);
  }

  /** An item is over, or was never begun. */
  end(item: Item): void {
    this.#began.delete(item);
  }

  /** Forgets all items. */
  close(): void {
    this.#began.clear();
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #wait(ms: number): void {
    this.#cancel = this.#timers.delay(ms, () => this.#look());
  }

  /** `#cancel` stays set until the end, so that an item that `expire` begins again does not start a second timer. */
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

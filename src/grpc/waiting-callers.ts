import type { Timers } from "../domain/timers.ts";

// Milliseconds. How soon a waiting request notices that another thread has released space.
const POLL_MS = 10;

/** The callers of this thread with requests that wait for space, in the order in which they began to wait. */
export class WaitingCallers<Waiter extends { wake(): void }> {
  readonly #waiters = new Set<Waiter>();
  readonly #timers: Pick<Timers, "delay"> | undefined;
  #isPolling = false;

  /** Polls by `timers` while a request waits, because only the releases of this thread are noticed at once. */
  constructor(timers: Pick<Timers, "delay"> | undefined) {
    this.#timers = timers;
  }

  add(waiter: Waiter): void {
    this.#waiters.add(waiter);
    this.#poll();
  }

  delete(waiter: Waiter): void {
    this.#waiters.delete(waiter);
  }

  wakeAll(): void {
    for (const waiter of this.#waiters) waiter.wake();
  }

  #poll(): void {
    if (this.#isPolling || this.#timers === undefined) return;
    this.#isPolling = true;
    this.#timers.delay(POLL_MS, () => {
      this.#isPolling = false;
      this.wakeAll();
      if (this.#waiters.size > 0) this.#poll();
    });
  }
}

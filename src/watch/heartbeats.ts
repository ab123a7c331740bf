import type { Timers } from "../domain/timers.ts";

/** Milliseconds between two heartbeats. The contract promises one every 15 seconds. */
const PERIOD_MS = 10_000;

/**
 * The number of groups whose heartbeats are sent one after the other in a period. Those of a thousand watchers at once
 * would delay the events of that moment by tens of milliseconds.
 */
export const HEARTBEAT_GROUPS = 50;

/** Milliseconds between the heartbeats of two groups. */
export const HEARTBEAT_STEP_MS = PERIOD_MS / HEARTBEAT_GROUPS;

/** Calls `beat` of each watcher every ten seconds. The calls of many watchers are spread over this time. */
export class Heartbeats<Watcher extends { beat(): void }> {
  readonly #timers: Pick<Timers, "delay" | "elapsed">;
  readonly #groups = Array.from({ length: HEARTBEAT_GROUPS }, () => new Set<Watcher>());
  readonly #groupOf = new Map<Watcher, Set<Watcher>>();
  /** The number of watchers so far. */
  #added = 0;
  /** The number of groups whose heartbeats were sent. */
  #sent = 0;
  /** When the heartbeats of the next group are due, in monotonic milliseconds. */
  #due = 0;
  #cancel: (() => void) | undefined;

  constructor(timers: Pick<Timers, "delay" | "elapsed">) {
    this.#timers = timers;
  }

  /** Begins the heartbeats of a watcher. Watchers that begin together are in different groups. */
  add(watcher: Watcher): void {
    const group = this.#groupAt(this.#added++);
    group.add(watcher);
    this.#groupOf.set(watcher, group);
    if (this.#cancel !== undefined) return;
    this.#due = this.#timers.elapsed() + HEARTBEAT_STEP_MS;
    this.#cancel = this.#await();
  }

  delete(watcher: Watcher): void {
    this.#groupOf.get(watcher)?.delete(watcher);
    this.#groupOf.delete(watcher);
    if (this.#groupOf.size > 0) return;
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #await(): () => void {
    return this.#timers.delay(HEARTBEAT_STEP_MS, () => {
      this.#sendDue();
      this.#cancel = this.#await();
    });
  }

  /**
   * Sends the heartbeats of every group that is due. While commits block the thread, timers are late: with one group for
   * each timer, the delays of all fifty would add up to more than the promised 15 seconds.
   */
  #sendDue(): void {
    const now = this.#timers.elapsed();
    for (this.#due = Math.max(this.#due, now - PERIOD_MS); this.#due <= now; this.#due += HEARTBEAT_STEP_MS)
      for (const watcher of this.#groupAt(this.#sent++)) watcher.beat();
  }

  #groupAt(number: number): Set<Watcher> {
    const group = this.#groups[number % HEARTBEAT_GROUPS];
    if (group === undefined) throw new RangeError(`there is no group ${number}`);
    return group;
  }
}

import type { Timers } from "../domain/timers.ts";

/** Milliseconds between two heartbeats. The contract promises one every 15 seconds. */
const PERIOD_MS = 10_000;

/**
 * The number of groups whose heartbeats are sent one after the other in a period. Those of a thousand watchers at once
 * would delay the events of that moment by tens of milliseconds.
 */
export const HEARTBEAT_GROUPS = 50;

/** Calls `beat` of each watcher every ten seconds. The calls of many watchers are spread over this time. */
export class Heartbeats<Watcher extends { beat(): void }> {
  readonly #timers: Pick<Timers, "delay">;
  readonly #groups = Array.from({ length: HEARTBEAT_GROUPS }, () => new Set<Watcher>());
  readonly #groupOf = new Map<Watcher, Set<Watcher>>();
  /** The number of watchers so far. */
  #added = 0;
  #ticks = 0;
  #cancel: (() => void) | undefined;

  constructor(timers: Pick<Timers, "delay">) {
    this.#timers = timers;
  }

  /** Begins the heartbeats of a watcher. Watchers that begin together are in different groups. */
  add(watcher: Watcher): void {
    const group = this.#groupAt(this.#added++);
    group.add(watcher);
    this.#groupOf.set(watcher, group);
    this.#cancel ??= this.#await();
  }

  delete(watcher: Watcher): void {
    this.#groupOf.get(watcher)?.delete(watcher);
    this.#groupOf.delete(watcher);
    if (this.#groupOf.size > 0) return;
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #await(): () => void {
    return this.#timers.delay(PERIOD_MS / HEARTBEAT_GROUPS, () => {
      for (const watcher of this.#groupAt(this.#ticks++)) watcher.beat();
      this.#cancel = this.#await();
    });
  }

  #groupAt(number: number): Set<Watcher> {
    const group = this.#groups[number % HEARTBEAT_GROUPS];
    if (group === undefined) throw new RangeError(`there is no group ${number}`);
    return group;
  }
}

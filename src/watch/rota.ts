import type { Timers } from "../domain/timers.ts";

/** How long watchers may use the thread in one turn of the event loop, in milliseconds. */
const SHARE_MS = 1;

// The number of steps of one watcher before the next one, and between two reads of the clock.
const STEPS = 16;

/** Work in short steps of a few microseconds. */
export interface Stepwise {
  /** Makes one step. False if there is nothing to do until it is added again. */
  step(): boolean;
}

/**
 * Lets watchers work beside the calls of this thread, one after the other. All of them together use a millisecond in each
 * turn of the event loop.
 */
export class Rota<Worker extends Stepwise> {
  readonly #timers: Pick<Timers, "elapsed" | "afterTurn">;
  /** The next one first. */
  readonly #waiting = new Set<Worker>();
  #isScheduled = false;

  constructor(timers: Pick<Timers, "elapsed" | "afterTurn">) {
    this.#timers = timers;
  }

  /** Lets a watcher work after this turn, unless it waits already. */
  add(worker: Worker): void {
    this.#waiting.add(worker);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#timers.afterTurn(() => this.#turn());
  }

  delete(worker: Worker): void {
    this.#waiting.delete(worker);
  }

  #turn(): void {
    this.#isScheduled = false;
    const end = this.#timers.elapsed() + SHARE_MS;
    do {
      const [worker] = this.#waiting;
      if (worker === undefined) return;
      this.#waiting.delete(worker);
      if (works(worker)) this.add(worker);
    } while (this.#timers.elapsed() < end);
    const [next] = this.#waiting;
    if (next !== undefined) this.add(next);
  }
}

/** Returns whether the worker has more to do. */
function works(worker: Stepwise): boolean {
  for (let step = 0; step < STEPS; step++) if (!worker.step()) return false;
  return true;
}

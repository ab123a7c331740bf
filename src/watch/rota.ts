import { KeyedQueue } from "../domain/keyed-queue.ts";
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
  readonly #waiting = new KeyedQueue<Worker, Worker>();
  #isScheduled = false;

  constructor(timers: Pick<Timers, "elapsed" | "afterTurn">) {
    this.#timers = timers;
  }

  /** Lets a watcher work after this turn, unless it waits already. */
  add(worker: Worker): void {
    if (!this.#waiting.has(worker)) this.#waiting.put(worker, worker);
    this.#schedule();
  }

  delete(worker: Worker): void {
    this.#waiting.delete(worker);
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#timers.afterTurn(() => this.#turn());
  }

  #turn(): void {
    this.#isScheduled = false;
    const end = this.#timers.elapsed() + SHARE_MS;
    do {
      const [worker] = this.#waiting.take() ?? [];
      if (worker === undefined) return;
      if (works(worker)) this.add(worker);
    } while (this.#timers.elapsed() < end);
    if (this.#waiting.size > 0) this.#schedule();
  }
}

/** Returns whether the worker has more to do. */
function works(worker: Stepwise): boolean {
  for (let step = 0; step < STEPS; step++) if (!worker.step()) return false;
  return true;
}

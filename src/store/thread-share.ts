import { callOver } from "../domain/errors.ts";
import type { Timers } from "../domain/timers.ts";

/** How long a task may use the thread in one turn of the event loop, in milliseconds. */
const SHARE_MS = 1;

/** The number of steps between two reads of the clock. A step takes a few microseconds. */
const STEPS = 16;

/** A long task, as a series of short steps. */
export interface LongTask<Result> {
  readonly steps: Generator<void, Result, void>;
  /** Whether the result is no longer needed. */
  readonly isOver: () => boolean;
}

/**
 * Runs long tasks beside the other work of this thread. In each turn of the event loop it runs one task for a
 * millisecond, and in the next turn the next task. A new call waits for one task's millisecond, however many tasks
 * there are.
 */
export class ThreadShare {
  readonly #timers: Timers;
  /** The next task first. Each function runs its task for one share, and returns whether the task needs another. */
  readonly #waiting: (() => boolean)[] = [];

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  /**
   * Resolves with the task's result. Rejects with a step's error, or with DEADLINE_EXCEEDED once `isOver` returns true.
   */
  run<Result>({ steps, isOver }: LongTask<Result>): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#add(() => {
        try {
          if (isOver()) throw callOver();
          const result = this.#advance(steps);
          if (result.done !== true) return true;
          resolve(result.value);
        } catch (error) {
          reject(error);
        }
        return false;
      });
    });
  }

  #add(share: () => boolean): void {
    this.#waiting.push(share);
    if (this.#waiting.length === 1) this.#timers.afterTurn(() => this.#turn());
  }

  #turn(): void {
    const [share] = this.#waiting;
    const needsMore = share?.() ?? false;
    this.#waiting.shift();
    if (share !== undefined && needsMore) this.#waiting.push(share);
    if (this.#waiting.length > 0) this.#timers.afterTurn(() => this.#turn());
  }

  #advance<Result>(steps: Generator<void, Result, void>): IteratorResult<void, Result> {
    const end = this.#timers.elapsed() + SHARE_MS;
    let result = steps.next();
    for (let step = 1; result.done !== true; step++) {
      if (step % STEPS === 0 && this.#timers.elapsed() >= end) break;
      result = steps.next();
    }
    return result;
  }
}

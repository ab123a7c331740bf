import { callOver } from "../domain/errors.ts";
import type { Timers } from "../domain/timers.ts";

/** How long tasks may hold the thread before everything that has arrived meanwhile gets its turn, in milliseconds. */
const SHARE_MS = 1;

/** Steps between two looks at the clock. One takes some microseconds. */
const STEPS = 16;

/** Something that takes long, in steps that don't. */
export interface LongTask<Result> {
  readonly steps: Generator<void, Result, void>;
  /** Whether the result is not needed any more. */
  readonly isOver: () => boolean;
}

/**
 * Runs long tasks beside everything else that this thread does: in each turn of the event loop one of them, for a
 * millisecond, then the next one. However many there are, a call that arrives waits for one share and not for all tasks.
 */
export class ThreadShare {
  readonly #timers: Timers;
  /** The next one first. Each does its share, and answers whether it needs another. */
  readonly #waiting: (() => boolean)[] = [];

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  /** The task's result. Rejects with what a step throws, and with DEADLINE_EXCEEDED when the task is over before its end. */
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

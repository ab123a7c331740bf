import type { Timers } from "../../src/domain/timers.ts";

interface Task {
  readonly due: number;
  readonly run: () => void;
  readonly timer: NodeJS.Timeout;
}

/**
 * The machine's time, which a test can also push ahead. What comes due by a push runs in a turn of its own, as a timer
 * does. A test that pushes it by a fixed amount with each answered call decides how many calls a minute has, and is the
 * same test on a slow machine.
 */
export class PushedTimers implements Timers {
  readonly #tasks = new Set<Task>();
  #ahead = 0;

  readonly clock = (): number => Date.now() + this.#ahead;
  readonly elapsed = (): number => performance.now() + this.#ahead;
  readonly afterTurn = (task: () => void): void => void setImmediate(task);

  readonly delay = (ms: number, run: () => void): (() => void) => {
    const timer = setTimeout(() => this.#run(task), ms);
    const task: Task = { due: this.elapsed() + ms, run, timer };
    this.#tasks.add(task);
    return () => this.#forget(task);
  };

  /** Moves time on by so many milliseconds. */
  push(ms: number): void {
    this.#ahead += ms;
    const now = this.elapsed();
    for (const task of this.#tasks) if (task.due <= now) setImmediate(() => this.#run(task));
  }

  #run(task: Task): void {
    if (this.#forget(task)) task.run();
  }

  /** Whether it was still waiting. */
  #forget(task: Task): boolean {
    clearTimeout(task.timer);
    return this.#tasks.delete(task);
  }
}

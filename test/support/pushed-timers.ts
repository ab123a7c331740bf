import { type Timers, processTimers } from "../../src/domain/timers.ts";

interface Task {
  readonly due: number;
  readonly run: () => void;
  readonly timer: NodeJS.Timeout;
}

// Milliseconds. Handshakes, keepalive and shutdown have less: a loaded machine needs that time for itself.
const LONG_MS = 90_000;

/**
 * The machine's time, which a test can also push ahead for all that takes long. What comes due by a push runs in a turn of its own, as a timer
 * does. A test that pushes it by a fixed amount with each answered call decides how many calls a minute has, and is the
 * same test on a slow machine.
 */
export class PushedTimers implements Timers {
  readonly #tasks = new Set<Task>();
  readonly #longMs: number;
  #ahead = 0;
  #jumped = 0;

  /** What takes `longMs` milliseconds or more is pushed. */
  constructor(longMs = LONG_MS) {
    this.#longMs = longMs;
  }

  readonly clock = (): number => Date.now() + this.#ahead + this.#jumped;
  readonly elapsed = (): number => performance.now() + this.#ahead;
  readonly busy = processTimers.busy;
  readonly afterTurn = processTimers.afterTurn;
  readonly eachTurn = processTimers.eachTurn;

  readonly delay = (ms: number, run: () => void): (() => void) => {
    if (ms < this.#longMs) return processTimers.delay(ms, run);
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

  /** Moves the clock alone, as on a machine that was suspended: the timers go on from where they were. */
  jump(ms: number): void {
    this.#jumped += ms;
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

import { type Timers, processTimers } from "../../src/domain/timers.ts";

interface Task {
  readonly due: number;
  readonly run: () => void;
  readonly timer: NodeJS.Timeout;
}

// Milliseconds. Handshakes, keepalive and shutdown have shorter times, which a loaded machine needs for itself.
const LONG_MS = 90_000;

/**
 * The machine's time, which a test can also advance for everything that waits long. A task that becomes due by an
 * advance runs in its own turn, as a timer does. A test that advances time by a fixed amount with each response decides
 * how many calls a minute has, and behaves the same on a slow machine.
 */
export class PushedTimers implements Timers {
  readonly #tasks = new Set<Task>();
  readonly #longMs: number;
  #ahead = 0;
  #jumped = 0;

  /** Tasks that wait `longMs` milliseconds or more are affected by {@link push}. */
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

  /** Advances the time by so many milliseconds. */
  push(ms: number): void {
    this.#ahead += ms;
    const now = this.elapsed();
    for (const task of this.#tasks) if (task.due <= now) setImmediate(() => this.#run(task));
  }

  /** Advances only the clock, as on a machine that was suspended: timers continue from where they were. */
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

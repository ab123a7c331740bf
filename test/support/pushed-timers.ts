import { type Timers, processTimers } from "../../src/domain/timers.ts";

interface Task {
  readonly due: number;
  readonly run: () => void;
  /** Undefined if only the test advances the time of this task. */
  readonly timer: NodeJS.Timeout | undefined;
}

// Milliseconds. The shorter times of handshakes, keepalive and shutdown are never advanced: a loaded machine can need
// all of them.
const LONG_MS = 90_000;

/**
 * The machine's time. A test can also advance it for the tasks that wait long. A task that becomes due because of an
 * advance runs in its own turn of the event loop, as a timer does. A test that advances time by a fixed amount with
 * each response decides how many calls a minute has, and behaves the same on a slow machine.
 */
export class PushedTimers implements Timers {
  readonly #tasks = new Set<Task>();
  readonly #longMs: number;
  #runsAlone: boolean;
  #ahead = 0;
  #jumped = 0;

  readonly busy: () => number;

  /**
   * Tasks that wait `longMs` milliseconds or more are affected by {@link push}. `runsAlone`: they also run when their real
   * time is over. Set it to false if a loaded machine can need that long. Work then takes no time: the pause after a
   * handshake during which other processes ran can be that long, and the next handshake would wait for the test.
   */
  constructor(longMs = LONG_MS, runsAlone = true) {
    this.#longMs = longMs;
    this.#runsAlone = runsAlone;
    this.busy = runsAlone ? processTimers.busy : () => 0;
  }

  readonly clock = (): number => Date.now() + this.#ahead + this.#jumped;
  readonly elapsed = (): number => performance.now() + this.#ahead;
  readonly monotonic = (): number => processTimers.monotonic() + this.#ahead;
  readonly afterTurn = processTimers.afterTurn;
  readonly eachTurn = processTimers.eachTurn;

  readonly delay = (ms: number, run: () => void): (() => void) => {
    if (ms < this.#longMs) return processTimers.delay(ms, run);
    const timer = this.#runsAlone ? setTimeout(() => this.#run(task), ms) : undefined;
    const task: Task = { due: this.elapsed() + ms, run, timer };
    this.#tasks.add(task);
    return () => this.#forget(task);
  };

  /** From now on, new tasks also run when their real time is over: a server that stops must not wait for the test. */
  runAlone(): void {
    this.#runsAlone = true;
  }

  /** Advances the time by `ms` milliseconds. */
  push(ms: number): void {
    this.#ahead += ms;
    const now = this.elapsed();
    for (const task of this.#tasks) if (task.due <= now) setImmediate(() => this.#run(task));
  }

  /** Advances only the clock, as on a machine that was suspended: no task becomes due. */
  jump(ms: number): void {
    this.#jumped += ms;
  }

  #run(task: Task): void {
    if (this.#forget(task)) task.run();
  }

  /** Cancels a task. Returns whether it was still waiting. */
  #forget(task: Task): boolean {
    clearTimeout(task.timer);
    return this.#tasks.delete(task);
  }
}

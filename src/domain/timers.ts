/** Returns the time in milliseconds since the epoch. Always passed as a parameter, so that tests control the time. */
export type Clock = () => number;

/** The machine's clock. It can jump, so code that stores times must clamp them. */
export const systemClock: Clock = () => Date.now();

/** Clocks and timers. Always passed as a parameter, so that tests control the time and the order of events. */
export interface Timers {
  readonly clock: Clock;
  /** Monotonic milliseconds, for durations. */
  readonly elapsed: () => number;
  /** Monotonic milliseconds from a zero that all threads of the process share. It stands still while the machine sleeps. */
  readonly monotonic: () => number;
  /** Monotonic milliseconds of work, without the time in which the event loop is idle. */
  readonly busy: () => number;
  /** Runs `task` after `ms` milliseconds. Returns a function that cancels it. */
  readonly delay: (ms: number, task: () => void) => () => void;
  /** Runs `task` after the current turn of the event loop, when all events of that turn have been handled. */
  readonly afterTurn: (task: () => void) => void;
  /**
   * Runs `task` at the end of every turn, until the returned function is called. It does not keep the process running.
   */
  readonly eachTurn: (task: () => void) => () => void;
}

/** The machine's clock and Node's event loop. */
export const processTimers: Timers = {
  clock: systemClock,
  elapsed: () => performance.now(),
  monotonic: () => {
    const [seconds, nanoseconds] = process.hrtime();
    return seconds * 1000 + nanoseconds / 1e6;
  },
  busy: () => performance.now() - performance.nodeTiming.idleTime,
  delay: (ms, task) => {
    const timer = setTimeout(task, ms);
    return () => clearTimeout(timer);
  },
  afterTurn: (task) => void setImmediate(task),
  eachTurn: (task) => {
    // An unref'd immediate runs after each turn. Unlike a ref'd one, it does not cause a turn itself.
    const again = () => setImmediate(run).unref();
    const run = () => {
      next = again();
      task();
    };
    let next = again();
    return () => clearImmediate(next);
  },
};

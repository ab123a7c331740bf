/** The time in milliseconds since the epoch. A parameter everywhere, so that tests decide what time it is. */
export type Clock = () => number;

/** The machine's clock. It may jump; whoever stores times clamps them. */
export const systemClock: Clock = () => Date.now();

/** Time as this process sees it. A parameter everywhere, so that tests decide what time it is and what comes when. */
export interface Timers {
  readonly clock: Clock;
  /** Monotonic milliseconds, for durations. */
  readonly elapsed: () => number;
  /** Monotonic milliseconds of work: the time in which the event loop waits for something to do is left out. */
  readonly busy: () => number;
  /** Runs `task` after some milliseconds; the answer cancels it. */
  readonly delay: (ms: number, task: () => void) => () => void;
  /** Runs `task` after the current turn of the event loop, when everything that had arrived has been looked at. */
  readonly afterTurn: (task: () => void) => void;
  /** Runs `task` at the end of every turn, until the answer is called. It does not keep the process running. */
  readonly eachTurn: (task: () => void) => () => void;
}

/** The machine's clock and Node's event loop. */
export const processTimers: Timers = {
  clock: systemClock,
  elapsed: () => performance.now(),
  busy: () => performance.now() - performance.nodeTiming.idleTime,
  delay: (ms, task) => {
    const timer = setTimeout(task, ms);
    return () => clearTimeout(timer);
  },
  afterTurn: (task) => void setImmediate(task),
  eachTurn: (task) => {
    // An immediate that is unref'd runs after each turn and, unlike another one, does not begin a turn by itself.
    const again = () => setImmediate(run).unref();
    const run = () => {
      next = again();
      task();
    };
    let next = again();
    return () => clearImmediate(next);
  },
};

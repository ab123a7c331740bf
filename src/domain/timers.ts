import { type Clock, systemClock } from "./clock.ts";

/** Time as this process sees it. A parameter everywhere, so that tests decide what time it is and what comes when. */
export interface Timers {
  readonly clock: Clock;
  /** Monotonic milliseconds, for durations. */
  readonly elapsed: () => number;
  /** Runs `task` after some milliseconds; the answer cancels it. */
  readonly delay: (ms: number, task: () => void) => () => void;
  /** Runs `task` after the current turn of the event loop, when everything that had arrived has been looked at. */
  readonly afterTurn: (task: () => void) => void;
}

/** The machine's clock and Node's event loop. */
export const processTimers: Timers = {
  clock: systemClock,
  elapsed: () => performance.now(),
  delay: (ms, task) => {
    const timer = setTimeout(task, ms);
    return () => clearTimeout(timer);
  },
  afterTurn: (task) => void setImmediate(task),
};

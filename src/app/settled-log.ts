import type { Fronts } from "../front/fronts.ts";
import type { LogFields, Logger, LogLevel } from "../observability/logger.ts";

/**
 * Makes a logger for what takes effect in the fronts, such as a new policy. A line is written when everything that was
 * sent to the fronts before it has taken effect in all of them, so that its reader can rely on it. Lines keep their order.
 * `fronts` returns the fronts in other threads; undefined if there are none, and the line is written immediately.
 */
export function settledLog(log: Logger, fronts: () => Pick<Fronts, "settled"> | undefined): Logger {
  let last = Promise.resolve();
  const write = (level: LogLevel, event: string, fields: LogFields | undefined) => {
    const current = fronts();
    if (current === undefined) return log[level](event, fields);
    // The fronts are asked at the end of this turn: a listener that sends the same change to them may run after this.
    last = last.then(() => current.settled()).then(() => log[level](event, fields));
  };
  return {
    error: (event, fields) => write("error", event, fields),
    warn: (event, fields) => write("warn", event, fields),
    info: (event, fields) => write("info", event, fields),
    debug: (event, fields) => write("debug", event, fields),
    isDebug: log.isDebug,
  };
}

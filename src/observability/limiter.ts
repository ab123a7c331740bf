import type { Clock } from "../domain/clock.ts";
import type { LogFields, Logger } from "./logger.ts";

/** Lines of one reason that are written in a second; the rest is counted. */
const LINES_PER_SECOND = 10;

/** Kinds of lines that are told apart. Events and reasons are closed sets far below it; it bounds memory if one is not. */
const MAX_KINDS = 256;

/** The kinds beyond that, all limited together. */
const OVERFLOW = "";

/** Writes lines that strangers can cause, and so as many as they like: refused connections and denied calls. */
export interface LimitedLog {
  /** Writes the line at info, or counts it; what was counted is the `suppressed` of the next line that is written. */
  info(event: string, reason: string, fields?: LogFields): void;
  /** The same at error, for faults of ours that callers can repeat. */
  error(event: string, reason: string, fields?: LogFields): void;
  /** Writes a line for each count that no later line has reported. For the end, and now and then. */
  summarize(): void;
}

interface Kind {
  readonly event: string;
  readonly reason: string;
  second: number;
  written: number;
  suppressed: number;
}

/** Limits the lines that go to `log` to {@link LINES_PER_SECOND} for each event and reason. */
export function limitLines(log: Logger, clock: Clock, perSecond: number = LINES_PER_SECOND): LimitedLog {
  const kinds = new Map<string, Kind>();

  const kindOf = (event: string, reason: string): Kind => {
    const own = `${event}\0${reason}`;
    const key = kinds.has(own) || kinds.size < MAX_KINDS ? own : OVERFLOW;
    const kind = kinds.get(key) ?? { event, reason, second: Number.NaN, written: 0, suppressed: 0 };
    kinds.set(key, kind);
    return kind;
  };

  const write = (level: "info" | "error", event: string, reason: string, fields?: LogFields): void => {
    const kind = kindOf(event, reason);
    if (!admits(kind, Math.floor(clock() / 1000), perSecond)) return;
    log[level](event, { ...fields, reason, ...takeSuppressed(kind) });
  };

  return {
    info: (event, reason, fields) => write("info", event, reason, fields),
    error: (event, reason, fields) => write("error", event, reason, fields),
    summarize() {
      for (const kind of kinds.values()) {
        if (kind.suppressed === 0) continue;
        log.info("lines suppressed", { detail: kind.event, reason: kind.reason, ...takeSuppressed(kind) });
      }
    },
  };
}

function admits(kind: Kind, second: number, perSecond: number): boolean {
  // Not "later than": a clock that was set back must not silence a kind until it has caught up.
  if (kind.second !== second) Object.assign(kind, { second, written: 0 });
  if (kind.written === perSecond) {
    kind.suppressed++;
    return false;
  }
  kind.written++;
  return true;
}

function takeSuppressed(kind: Kind): LogFields {
  const { suppressed } = kind;
  kind.suppressed = 0;
  return suppressed === 0 ? {} : { suppressed };
}

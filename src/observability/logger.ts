import type { Writable } from "node:stream";
import winston from "winston";

/** How grave a line is. A logger writes its own level and everything graver. */
export type LogLevel = "error" | "warn" | "info" | "debug";

/** The levels from the gravest to the least. */
export const LOG_LEVELS: readonly LogLevel[] = ["error", "warn", "info", "debug"];

/**
 * Everything that a line may carry beside its event, flat. The list is closed on purpose: a field that is not here
 * can't be logged, and no field is meant for a value of a secret. `undefined` leaves the field out.
 */
export interface LogFields {
  // ---- who
  /** A SPIFFE ID that was verified, or one that at least parses where the event says that it is only claimed. */
  readonly spiffe_id?: string | undefined;
  /** The number of the connection in this process. */
  readonly connection?: number | string | undefined;
  /** The peer's address. It names the network's last hop, never an identity. */
  readonly remote?: string | undefined;

  // ---- what
  /** The full gRPC method, as in /coffer.v1.Secrets/Get. */
  readonly method?: string | undefined;
  /** The path of a secret, or the prefix of a List. */
  readonly path?: string | undefined;
  /** The gRPC status of the answer by name, as in NOT_FOUND. */
  readonly code?: string | undefined;
  /** A stable reason code: of a CofferError, of a refused connection, of a denial. */
  readonly reason?: string | undefined;
  /** The name of the policy's rule that decided. */
  readonly rule?: string | undefined;
  readonly trust_domain?: string | undefined;
  readonly signal?: string | undefined;
  /** Where the server's identity is sought. */
  readonly source?: string | undefined;
  /** The number of a snapshot of that identity, from 1 on. */
  readonly generation?: number | undefined;
  /** Until when an SVID is accepted: RFC 3339. */
  readonly valid_until?: string | undefined;

  // ---- where
  /** An address that the server listens on. */
  readonly address?: string | undefined;
  /** A file or a folder of this machine. */
  readonly file?: string | undefined;

  // ---- how much
  readonly count?: number | undefined;
  /** How many lines like this one were left out since the last one. */
  readonly suppressed?: number | undefined;
  readonly bytes?: number | undefined;
  readonly limit?: number | undefined;
  readonly secrets?: number | undefined;
  readonly versions?: number | undefined;
  readonly rules?: number | undefined;
  readonly revision?: number | bigint | undefined;
  readonly seconds?: number | undefined;

  // ---- in words
  /** The release of the program. */
  readonly release?: string | undefined;
  /** A sentence for the reader. */
  readonly detail?: string | undefined;
  /** The message of an error; its stack where the error is a fault of ours. */
  readonly error?: string | undefined;
}

/** Writes lines. `event` says what happened in a few stable words, as in "connection refused"; it can be searched for. */
export interface Logger {
  error(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  debug(event: string, fields?: LogFields): void;
  /** Whether debug lines are written: where it is false, their fields need not be gathered. */
  readonly isDebug: boolean;
}

/** A logger and the end of its stream. */
export interface LogSink extends Logger {
  /**
   * Resolves when the stream has taken every line so far. Exit after it, since a pipe whose reader is behind takes them
   * later, and bound the wait, since a stalled reader never does.
   */
  flush(): Promise<void>;
}

/** Lines that wait for a stalled reader take up to this many bytes; what comes then is counted and dropped. */
const MAX_BACKLOG_BYTES = 4 * 1024 * 1024;

/**
 * Makes a logger of JSON lines: time (RFC 3339), level, event, then the fields. A line is handed to `stream` before the
 * call returns. Files and terminals take it at once; a pipe does while its reader keeps up, see {@link LogSink.flush}.
 */
export function createLogger(level: LogLevel, stream: Writable = process.stderr): LogSink {
  const depth = LOG_LEVELS.indexOf(level);
  const line = winston.format.printf(({ level, message, fields }) =>
    toLine(level, String(message), fields as LogFields),
  );
  const logger = winston.createLogger({
    level,
    levels: Object.fromEntries(LOG_LEVELS.map((name, rank) => [name, rank])),
    format: line,
    transports: [new winston.transports.Stream({ stream, eol: "\n" })],
  });
  // A reader that goes away breaks the pipe. Without a listener that error would end the server.
  stream.on("error", () => {});

  let dropped = 0;
  const write = (level: LogLevel, event: string, fields: LogFields = {}): void => {
    if (LOG_LEVELS.indexOf(level) > depth) return;
    if (stream.writableLength > MAX_BACKLOG_BYTES) {
      dropped++;
      return;
    }
    if (dropped > 0) logger.log({ level: "error", message: "log lines dropped", fields: { count: dropped } });
    dropped = 0;
    logger.log({ level, message: event, fields });
  };

  return {
    error: (event, fields) => write("error", event, fields),
    warn: (event, fields) => write("warn", event, fields),
    info: (event, fields) => write("info", event, fields),
    debug: (event, fields) => write("debug", event, fields),
    isDebug: level === "debug",
    flush: () => new Promise((resolve) => stream.write("", () => resolve())),
  };
}

function toLine(level: string, event: string, fields: LogFields): string {
  return JSON.stringify({ time: new Date().toISOString(), level, event, ...fields }, flat);
}

/**
 * Lets through the line itself and plain values. The type of the fields says as much, but a type is gone at run time,
 * and an object that slipped in could be a request, printed with every byte of its content.
 */
function flat(key: string, value: unknown): unknown {
  if (typeof value === "bigint") return String(value);
  return key !== "" && typeof value === "object" ? "[not logged]" : value;
}

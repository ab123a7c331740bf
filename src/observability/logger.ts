import type { Writable } from "node:stream";
import winston from "winston";

/** The severity of a line. A logger writes lines of its own level and of more severe ones. */
export type LogLevel = "error" | "warn" | "info" | "debug";

/** The levels, the most severe first. */
export const LOG_LEVELS: readonly LogLevel[] = ["error", "warn", "info", "debug"];

/**
 * The fields of a line besides its event. All are plain values. The list is closed on purpose: no other field can be
 * logged, and no field is for a secret value. A field with the value `undefined` is left out.
 */
export interface LogFields {
  // ---- peer
  /** A verified SPIFFE ID; in `connection refused`, the one that the peer claims, well-formed and not verified. */
  readonly spiffe_id?: string | undefined;
  /** The number of the connection in this process. */
  readonly connection?: number | string | undefined;
  /** The address of the peer's last network hop, which is not an identity. */
  readonly remote?: string | undefined;

  // ---- subject
  /** The full gRPC method, such as /coffer.v1.Secrets/Get. */
  readonly method?: string | undefined;
  /** The action of the policy that a denied call requires, such as write. */
  readonly action?: string | undefined;
  /** The path of a secret, or the prefix of a List. */
  readonly path?: string | undefined;
  /** The name of the response's gRPC status, such as NOT_FOUND. */
  readonly code?: string | undefined;
  /** The stable reason of a CofferError, of a refused connection or of a denied call. */
  readonly reason?: string | undefined;
  /** The name of the rule that allowed a call, or why the call was denied. */
  readonly rule?: string | undefined;
  readonly trust_domain?: string | undefined;
  readonly signal?: string | undefined;
  /** The source of the server's identity. */
  readonly source?: string | undefined;
  /** The number of the snapshot of that identity, from 1. */
  readonly generation?: number | undefined;
  /** When the SVID expires, as RFC 3339. */
  readonly valid_until?: string | undefined;

  // ---- place
  /** An address on which the server listens. */
  readonly address?: string | undefined;
  /** A file or a folder of this machine. */
  readonly file?: string | undefined;
  /** The name of a target of `coffer agent`. */
  readonly target?: string | undefined;

  // ---- quantity
  readonly count?: number | undefined;
  /** The number of lines of this kind that were suppressed since the last one. */
  readonly suppressed?: number | undefined;
  readonly bytes?: number | undefined;
  readonly limit?: number | undefined;
  readonly threads?: number | undefined;
  readonly secrets?: number | undefined;
  readonly versions?: number | undefined;
  readonly rules?: number | undefined;
  readonly revision?: number | bigint | undefined;
  readonly seconds?: number | undefined;

  // ---- text
  /** The release of the program. */
  readonly release?: string | undefined;
  /** An explanation for humans. */
  readonly detail?: string | undefined;
  /** The message of an error, or its stack if it is a bug in Coffer. */
  readonly error?: string | undefined;
}

/** Writes log lines. `event` is a fixed text for searches, such as "connection refused". */
export interface Logger {
  error(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  debug(event: string, fields?: LogFields): void;
  /** Whether debug lines are written. If not, callers can skip collecting their fields. */
  readonly isDebug: boolean;
}

/** The logger that writes the log of the process. */
export interface LogSink extends Logger {
  /** Writes lines that the logger of another thread has formatted, each with its end. */
  append(lines: string): void;
  /**
   * Resolves when the stream has accepted all lines so far. Call it before the process exits, because a pipe with a
   * slow reader accepts lines later. Limit the wait: with a stalled reader, it never resolves.
   */
  flush(): Promise<void>;
}

/** The maximum size of lines that wait for a stalled reader. Further lines are counted and dropped. */
const MAX_BACKLOG_BYTES = 4 * 1024 * 1024;

/**
 * Makes a logger that writes JSON lines with time (RFC 3339), level, event and the fields. A line is passed to `stream`
 * before the call returns. Files and terminals accept it immediately, and a pipe if its reader keeps up; see
 * {@link LogSink.flush}.
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
  // When the reader ends, the pipe breaks. Without this listener, the error would end the server.
  stream.on("error", () => {});

  let dropped = 0;
  const isAccepted = (lines: number): boolean => {
    if (stream.writableLength > MAX_BACKLOG_BYTES) {
      dropped += lines;
      return false;
    }
    if (dropped > 0) logger.log({ level: "error", message: "log lines dropped", fields: { count: dropped } });
    dropped = 0;
    return true;
  };
  const write = (level: LogLevel, event: string, fields: LogFields = {}): void => {
    if (LOG_LEVELS.indexOf(level) <= depth && isAccepted(1)) logger.log({ level, message: event, fields });
  };

  return {
    error: (event, fields) => write("error", event, fields),
    warn: (event, fields) => write("warn", event, fields),
    info: (event, fields) => write("info", event, fields),
    debug: (event, fields) => write("debug", event, fields),
    isDebug: level === "debug",
    append(lines) {
      if (isAccepted(lines.split("\n").length - 1)) stream.write(lines);
    },
    flush: () => new Promise((resolve) => stream.write("", () => resolve())),
  };
}

function toLine(level: string, event: string, fields: LogFields): string {
  return JSON.stringify({ time: new Date().toISOString(), level, event, ...fields }, flat);
}

/**
 * Accepts only the line itself and plain values. The type of the fields requires this too, but is not checked at run
 * time, and an object that was passed by mistake could be a request, which would be printed with its content.
 */
function flat(key: string, value: unknown): unknown {
  if (typeof value === "bigint") return String(value);
  return key !== "" && typeof value === "object" ? "[not logged]" : value;
}

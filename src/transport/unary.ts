import type { ServerUnaryCall, handleUnaryCall, sendUnaryData } from "@grpc/grpc-js";
import { DEFAULT_DEADLINE_MS } from "../contract/limits.ts";
import type { Codec } from "../contract/message.ts";
import { type CofferError, deadlineExceeded, shuttingDown } from "../domain/errors.ts";
import type { Connection, Connections } from "./connection.ts";
import type { InFlight } from "./in-flight.ts";
import { codeName, toCofferError, toStatus } from "./status.ts";

/** A method: how its messages are read and written, and what it does. It may answer at once or later. */
export interface Method<Request, Response> {
  readonly request: Codec<Request>;
  readonly response: Codec<Response>;
  readonly handle: (caller: Connection, request: Request) => Response | Promise<Response>;
}

/** A call that was answered. */
export interface Handled {
  /** As in /coffer.v1.Secrets/Get. */
  readonly method: string;
  /** The gRPC status by name, as in "NOT_FOUND". */
  readonly code: string;
  readonly seconds: number;
  /** The caller; undefined in the one case that it could not be told, which is a fault of ours. */
  readonly caller: Connection | undefined;
  /** What went wrong. Its cause is for the log only. */
  readonly error: CofferError | undefined;
}

/** What every call passes through. */
export interface UnaryParts {
  readonly connections: Connections;
  readonly inFlight: InFlight;
  readonly onHandled: (handled: Handled) => void;
  /** Monotonic milliseconds. */
  readonly elapsed: () => number;
  /** Runs `task` after some milliseconds; the answer cancels it. */
  readonly delay: (ms: number, task: () => void) => () => void;
}

/**
 * The handler of a method as grpc-js wants it. This is the only place where a call's errors are caught: grpc-js would
 * send the message of a stray error to the caller, and leave a call whose handler rejects without an answer for ever.
 */
export function unary<Request, Response>(
  path: string,
  method: Method<Request, Response>,
  parts: UnaryParts,
): handleUnaryCall<Buffer, Buffer> {
  return (call, callback) => {
    const answer = new Answer(path, parts, callback);
    try {
      if (!answer.begin(call)) return;
      const response = method.handle(answer.caller!, method.request.decode(call.request));
      if (response instanceof Promise) answer.later(response, method.response, call);
      else answer.succeed(method.response.encode(response));
    } catch (error) {
      answer.fail(error);
    }
  };
}

/** The one answer of a call: whoever comes first, the method, its failure or the deadline, gives it. */
class Answer {
  readonly #path: string;
  readonly #parts: UnaryParts;
  readonly #callback: sendUnaryData<Buffer>;
  readonly #since: number;
  #cancelDeadline: (() => void) | undefined;
  #state: "new" | "counted" | "given" = "new";
  caller: Connection | undefined;

  constructor(path: string, parts: UnaryParts, callback: sendUnaryData<Buffer>) {
    this.#path = path;
    this.#parts = parts;
    this.#callback = callback;
    this.#since = parts.elapsed();
  }

  /** Finds the caller and counts the call as in flight; false when the server takes no more, which is answered then. */
  begin(call: ServerUnaryCall<Buffer, Buffer>): boolean {
    this.caller = this.#parts.connections.of(call);
    if (!this.#parts.inFlight.enter()) {
      this.fail(shuttingDown());
      return false;
    }
    this.#state = "counted";
    return true;
  }

  /** Waits for a response. A caller that set no deadline must not wait for ever. */
  later<Response>(
    response: Promise<Response>,
    codec: Codec<Response>,
    call: Pick<ServerUnaryCall<Buffer, Buffer>, "getDeadline">,
  ): void {
    if (call.getDeadline() === Number.POSITIVE_INFINITY) {
      const tooLate = () => this.fail(deadlineExceeded(DEFAULT_DEADLINE_MS));
      this.#cancelDeadline = this.#parts.delay(DEFAULT_DEADLINE_MS, tooLate);
    }
    response.then((value) => this.succeed(codec.encode(value))).catch((error) => this.fail(error));
  }

  succeed(response: Buffer): void {
    this.#give("OK", undefined, () => this.#callback(null, response));
  }

  fail(failure: unknown): void {
    const error = toCofferError(failure);
    this.#give(codeName(error.reason), error, () => this.#callback(toStatus(error)));
  }

  #give(code: string, error: CofferError | undefined, send: () => void): void {
    if (this.#state === "given") return;
    const counted = this.#state === "counted";
    this.#state = "given";
    this.#cancelDeadline?.();
    send();
    if (counted) this.#parts.inFlight.leave();
    const seconds = (this.#parts.elapsed() - this.#since) / 1000;
    this.#parts.onHandled({ method: this.#path, code, seconds, caller: this.caller, error });
  }
}

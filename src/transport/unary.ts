import type { ServerUnaryCall, handleUnaryCall, sendUnaryData } from "@grpc/grpc-js";
import { DEFAULT_DEADLINE_MS } from "../contract/limits.ts";
import type { Codec } from "../contract/message.ts";
import { type CofferError, deadlineExceeded, shuttingDown, svidExpired } from "../domain/errors.ts";
import type { Timers } from "../domain/timers.ts";
import type { Connection, Connections } from "./connection.ts";
import { codeName, toCofferError, toStatus } from "./status.ts";

/** A method: how its messages are read and written, and what it does. It may answer at once or later. */
export interface Method<Request, Response> {
  readonly request: Codec<Request>;
  readonly response: Codec<Response>;
  /** `isOver` tells whether the caller has stopped waiting: it has left, or its time is over. */
  readonly handle: (caller: Connection, request: Request, isOver: () => boolean) => Response | Promise<Response>;
  /** Overwrites the values of secrets in a request that is done with, and in its response, once that is written. */
  readonly wipe?: (request: Request, response: Response | undefined) => void;
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
  /** Whether a new call may begin; false from the beginning of a shutdown on. */
  readonly accepts: () => boolean;
  readonly onHandled: (handled: Handled) => void;
  readonly timers: Timers;
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
      answer.caller = parts.connections.of(call);
      if (!parts.accepts()) throw shuttingDown();
      if (parts.timers.clock() > answer.caller.validUntil) throw svidExpired();
      const isOver = () => call.cancelled || answer.isGiven;
      const response = answerOf(method, answer.caller, method.request.decode(call.request), isOver);
      if (response instanceof Promise) answer.later(response, call);
      else answer.succeed(response);
    } catch (error) {
      answer.fail(error);
    } finally {
      // What was decoded are copies.
      call.request.fill(0);
    }
  };
}

/** The bytes of a method's response. What it was given and what it gave is overwritten as soon as it is done with. */
function answerOf<Request, Response>(
  method: Method<Request, Response>,
  caller: Connection,
  request: Request,
  isOver: () => boolean,
): Buffer | Promise<Buffer> {
  const wipe = (response?: Response) => method.wipe?.(request, response);
  const written = (response: Response) => {
    const bytes = method.response.encode(response);
    wipe(response);
    return bytes;
  };
  const failed = (error: unknown): never => {
    wipe();
    throw error;
  };
  try {
    const response = method.handle(caller, request, isOver);
    return response instanceof Promise ? response.then(written).catch(failed) : written(response);
  } catch (error) {
    return failed(error);
  }
}

/** The one answer of a call: whoever comes first, the method, its failure or the deadline, gives it. */
class Answer {
  readonly #path: string;
  readonly #parts: UnaryParts;
  readonly #callback: sendUnaryData<Buffer>;
  readonly #since: number;
  #cancelDeadline: (() => void) | undefined;
  #state: "pending" | "given" = "pending";
  caller: Connection | undefined;

  constructor(path: string, parts: UnaryParts, callback: sendUnaryData<Buffer>) {
    this.#path = path;
    this.#parts = parts;
    this.#callback = callback;
    this.#since = parts.timers.elapsed();
  }

  get isGiven(): boolean {
    return this.#state === "given";
  }

  /** Waits for a response. A caller that set no deadline must not wait for ever. */
  later(response: Promise<Buffer>, call: Pick<ServerUnaryCall<Buffer, Buffer>, "getDeadline">): void {
    if (call.getDeadline() === Number.POSITIVE_INFINITY) {
      const tooLate = () => this.fail(deadlineExceeded(DEFAULT_DEADLINE_MS));
      this.#cancelDeadline = this.#parts.timers.delay(DEFAULT_DEADLINE_MS, tooLate);
    }
    response.then((bytes) => this.succeed(bytes)).catch((error) => this.fail(error));
  }

  succeed(response: Buffer): void {
    this.#give("OK", undefined, () => this.#callback(null, response));
    // grpc-js has copied it.
    response.fill(0);
  }

  fail(failure: unknown): void {
    const error = toCofferError(failure);
    this.#give(codeName(error.reason), error, () => this.#callback(toStatus(error)));
  }

  #give(code: string, error: CofferError | undefined, send: () => void): void {
    if (this.#state === "given") return;
    this.#state = "given";
    this.#cancelDeadline?.();
    send();
    const seconds = (this.#parts.timers.elapsed() - this.#since) / 1000;
    this.#parts.onHandled({ method: this.#path, code, seconds, caller: this.caller, error });
  }
}

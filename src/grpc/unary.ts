import {
  Metadata,
  type ServerUnaryCall,
  status as Code,
  type handleUnaryCall,
  type sendUnaryData,
} from "@grpc/grpc-js";
import { type LeadingField, leadingString } from "../contract/leading-string.ts";
import { DEFAULT_DEADLINE_MS } from "../contract/limits.ts";
import type { Codec } from "../contract/message.ts";
import { type CofferError, deadlineExceeded, malformedRequest } from "../domain/errors.ts";
import type { Timers } from "../domain/timers.ts";
import { ACCEPT_ENCODING } from "./answer-stream.ts";
import type { Connection } from "../admission/connection.ts";
import type { IncomingCall } from "./incoming-call.ts";
import { codeName, toCofferError, toStatus } from "./status.ts";

/**
 * A method: how its messages are read and written, who may call it, and what it does. It may answer at once or later.
 * `Permit` is what says that the caller may.
 */
export interface UnaryMethod<Request, Response, Permit> {
  readonly request: Codec<Request>;
  readonly response: Codec<Response>;
  /** The field that the request begins with, by which a caller is authorized. */
  readonly target: LeadingField & { readonly of: (request: Request) => string };
  /** Authorizes the caller by the target. Throws when it may not make this call. */
  readonly permit: (caller: Connection, target: string) => Permit;
  /** Whether its answer may be much larger than its request. It then waits until the caller has read enough of others. */
  readonly hasLargeAnswer: boolean;
  /** `isOver` tells whether the caller has stopped waiting: it has left, or its time is over. */
  readonly handle: (permit: Permit, request: Request, isOver: () => boolean) => Response | Promise<Response>;
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
  readonly caller: Connection;
  /** What went wrong. Its cause is for the log only. */
  readonly error: CofferError | undefined;
}

/** What every call passes through. */
export interface UnaryOptions {
  /** The call that grpc-js has a handler answer. */
  readonly callOf: (call: ServerUnaryCall<Buffer, Buffer>) => IncomingCall | undefined;
  readonly onHandled: (handled: Handled) => void;
  readonly timers: Timers;
}

/**
 * The handler of a method as grpc-js wants it. This is the only place where a call's errors are caught: grpc-js would
 * send the message of a stray error to the caller, and leave a call whose handler rejects without an answer for ever.
 */
export function unary<Request, Response, Permit>(
  path: string,
  method: UnaryMethod<Request, Response, Permit>,
  options: UnaryOptions,
): handleUnaryCall<Buffer, Buffer> {
  return (call, callback) => {
    const incoming = options.callOf(call);
    // The caller has left meanwhile: no answer would be read.
    if (incoming === undefined) return callback({ code: Code.CANCELLED });
    const answer = new Answer(path, options, { incoming, call, callback });
    const run = () => answer.from(method, call.request);
    if (method.hasLargeAnswer) incoming.whenRoom(run);
    else run();
  };
}

/** Authorizes the caller before the rest of the request is decoded: until then a request costs next to nothing. */
function answerOf<Request, Response, Permit>(
  method: UnaryMethod<Request, Response, Permit>,
  caller: Connection,
  bytes: Buffer,
  isOver: () => boolean,
): Buffer | Promise<Buffer> {
  const { target } = method;
  const leading = leadingString(bytes, target);
  const permit = method.permit(caller, leading);
  const request = method.request.decode(bytes);
  // Of a field that comes twice the last one counts: a caller would be authorized for one secret and handed another.
  if (target.of(request) !== leading) throw malformedRequest(`${target.name} comes twice`, target.name);
  return responseOf(method, request, () => method.handle(permit, request, isOver));
}

/** The bytes of a method's response. What it was given and what it gave is overwritten as soon as it is done with. */
function responseOf<Request, Response>(
  { response: codec, wipe }: Pick<UnaryMethod<Request, Response, unknown>, "response" | "wipe">,
  request: Request,
  handle: () => Response | Promise<Response>,
): Buffer | Promise<Buffer> {
  const written = (response: Response) => {
    const bytes = codec.encode(response);
    wipe?.(request, response);
    return bytes;
  };
  const failed = (error: unknown): never => {
    wipe?.(request, undefined);
    throw error;
  };
  try {
    const response = handle();
    return response instanceof Promise ? response.then(written).catch(failed) : written(response);
  } catch (error) {
    return failed(error);
  }
}

/** What grpc-js gave, and the call that it belongs to. */
interface Call {
  readonly incoming: IncomingCall;
  readonly call: Pick<ServerUnaryCall<Buffer, Buffer>, "getDeadline" | "sendMetadata" | "cancelled">;
  readonly callback: sendUnaryData<Buffer>;
}

const ACCEPTS_IDENTITY = Metadata.fromHttp2Headers(ACCEPT_ENCODING);

/** The one answer of a call: the method, its failure or the deadline gives it, whichever comes first. */
class Answer {
  readonly #path: string;
  readonly #options: UnaryOptions;
  readonly #call: Call;
  readonly #since: number;
  #cancelDeadline: (() => void) | undefined;
  #state: "pending" | "given" = "pending";

  constructor(path: string, options: UnaryOptions, call: Call) {
    this.#path = path;
    this.#options = options;
    this.#call = call;
    this.#since = options.timers.elapsed();
  }

  /** Gives what the method comes to. */
  from<Request, Response, Permit>(method: UnaryMethod<Request, Response, Permit>, request: Buffer): void {
    const { call, incoming } = this.#call;
    const isOver = () => call.cancelled || this.#state === "given";
    try {
      const response = answerOf(method, this.caller, request, isOver);
      if (response instanceof Promise) this.later(response);
      else this.succeed(response);
    } catch (error) {
      this.fail(error);
    } finally {
      // What was decoded are copies.
      request.fill(0);
      incoming.wipeRequest();
    }
  }

  get caller(): Connection {
    return this.#call.incoming.arrival.caller;
  }

  /** Waits for a response. A caller that set no deadline must not wait for ever. */
  later(response: Promise<Buffer>): void {
    if (this.#call.call.getDeadline() === Number.POSITIVE_INFINITY) {
      const tooLate = () => this.fail(deadlineExceeded(DEFAULT_DEADLINE_MS));
      this.#cancelDeadline = this.#options.timers.delay(DEFAULT_DEADLINE_MS, tooLate);
    }
    response.then((bytes) => this.succeed(bytes)).catch((error) => this.fail(error));
  }

  succeed(response: Buffer): void {
    this.#give("OK", undefined, () => {
      const { incoming, call, callback } = this.#call;
      incoming.answers(response.length);
      call.sendMetadata(ACCEPTS_IDENTITY);
      callback(null, response);
    });
    // grpc-js has copied it.
    response.fill(0);
  }

  fail(failure: unknown): void {
    const error = toCofferError(failure);
    this.#give(codeName(error.reason), error, () => this.#call.callback(toStatus(error)));
  }

  #give(code: string, error: CofferError | undefined, send: () => void): void {
    if (this.#state === "given") return;
    this.#state = "given";
    this.#cancelDeadline?.();
    send();
    const seconds = (this.#options.timers.elapsed() - this.#since) / 1000;
    this.#options.onHandled({ method: this.#path, code, seconds, caller: this.caller, error });
  }
}

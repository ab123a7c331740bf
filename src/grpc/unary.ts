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
import type { MethodId } from "./method-id.ts";
import { codeOf, toCofferError, toStatus } from "./status.ts";

/**
 * A method: how its messages are encoded, who may call it, and what it does. `Permit` is the proof that the caller may
 * make the call.
 */
export interface UnaryMethod<Request, Response, Permit> {
  readonly request: Codec<Request>;
  readonly response: Codec<Response>;
  /** The first field of the request, by which a caller is authorized. */
  readonly target: LeadingField & { readonly of: (request: Request) => string };
  /** Authorizes the caller by the target. Throws if it may not make this call. */
  readonly permit: (caller: Connection, target: string) => Permit;
  /**
   * Whether its answer can be much larger than its request. The call then waits until the caller has read enough of its
   * other answers.
   */
  readonly hasLargeAnswer: boolean;
  /**
   * Performs the call. `isOver` returns whether the caller no longer waits: it has cancelled the call or closed its
   * connection, or the deadline has passed.
   */
  readonly handle: (permit: Permit, request: Request, isOver: () => boolean) => Response | Promise<Response>;
  /** Overwrites the secret values in a request after the call, and in the response after the response is encoded. */
  readonly wipe?: (request: Request, response: Response | undefined) => void;
}

/** A call that was answered. */
export interface Handled {
  readonly method: MethodId;
  readonly code: Code;
  readonly seconds: number;
  readonly caller: Connection;
  /** The error with which the call ended; undefined after success. The `cause` of the error is for the log only. */
  readonly error: CofferError | undefined;
}

/** What {@link unary} needs for every method. */
export interface UnaryOptions {
  /** Finds the call that a handler of grpc-js answers. */
  readonly callOf: (call: ServerUnaryCall<Buffer, Buffer>) => IncomingCall | undefined;
  readonly onHandled: (handled: Handled) => void;
  readonly timers: Timers;
}

/**
 * Creates the grpc-js handler of a method. The handler catches every error of the method. grpc-js would send the
 * message of an unexpected error to the caller, and would never answer a call whose handler rejects.
 */
export function unary<Request, Response, Permit>(
  id: MethodId,
  method: UnaryMethod<Request, Response, Permit>,
  options: UnaryOptions,
): handleUnaryCall<Buffer, Buffer> {
  return (call, callback) => {
    const incoming = options.callOf(call);
    // The stream is closed already, so no answer would be read.
    if (incoming === undefined) return callback({ code: Code.CANCELLED });
    const answer = new Answer(id, options, { incoming, call, callback });
    const run = () => answer.from(method, call.request);
    if (method.hasLargeAnswer) incoming.whenRoom(run);
    else run();
  };
}

/** Authorizes the caller before it decodes the rest of the request, so that a refused request costs little. */
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
  // In protobuf the last occurrence of a field counts: a caller would be authorized for one secret and get another.
  if (target.of(request) !== leading) throw malformedRequest(`${target.name} occurs twice`, target.name);
  return responseOf(method, request, () => method.handle(permit, request, isOver));
}

/** The encoded response of a method. Overwrites the request and the response as soon as they are no longer needed. */
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

/** The arguments of a grpc-js handler, and the call that they belong to. */
interface Call {
  readonly incoming: IncomingCall;
  readonly call: Pick<ServerUnaryCall<Buffer, Buffer>, "getDeadline" | "sendMetadata" | "cancelled">;
  readonly callback: sendUnaryData<Buffer>;
}

const ACCEPTS_IDENTITY = Metadata.fromHttp2Headers(ACCEPT_ENCODING);

/** The single answer of a call: the response, an error or the exceeded deadline, whichever comes first. */
class Answer {
  readonly #method: MethodId;
  readonly #options: UnaryOptions;
  readonly #call: Call;
  readonly #since: number;
  #cancelDeadline: (() => void) | undefined;
  #state: "pending" | "sent" = "pending";

  constructor(method: MethodId, options: UnaryOptions, call: Call) {
    this.#method = method;
    this.#options = options;
    this.#call = call;
    this.#since = options.timers.elapsed();
  }

  /** Answers with the outcome of a method. */
  from<Request, Response, Permit>(method: UnaryMethod<Request, Response, Permit>, request: Buffer): void {
    const { call, incoming } = this.#call;
    const isOver = () => call.cancelled || this.#state === "sent";
    try {
      const response = answerOf(method, this.caller, request, isOver);
      if (response instanceof Promise) this.later(response);
      else this.succeed(response);
    } catch (error) {
      this.fail(error);
    } finally {
      // The decoded message consists of copies.
      request.fill(0);
      incoming.wipeRequest();
    }
  }

  get caller(): Connection {
    return this.#call.incoming.arrival.caller;
  }

  /**
   * Answers when the response is available. Sets a default deadline if the caller set none, so that the caller does not
   * wait forever.
   */
  later(response: Promise<Buffer>): void {
    if (this.#call.call.getDeadline() === Number.POSITIVE_INFINITY) {
      const tooLate = () => this.fail(deadlineExceeded(DEFAULT_DEADLINE_MS));
      this.#cancelDeadline = this.#options.timers.delay(DEFAULT_DEADLINE_MS, tooLate);
    }
    response.then((bytes) => this.succeed(bytes)).catch((error) => this.fail(error));
  }

  succeed(response: Buffer): void {
    this.#send(Code.OK, undefined, () => {
      const { incoming, call, callback } = this.#call;
      incoming.answers(response.length);
      call.sendMetadata(ACCEPTS_IDENTITY);
      callback(null, response);
    });
    // grpc-js has copied the response.
    response.fill(0);
  }

  fail(failure: unknown): void {
    const error = toCofferError(failure);
    this.#send(codeOf(error.reason), error, () => this.#call.callback(toStatus(error)));
  }

  #send(code: Code, error: CofferError | undefined, send: () => void): void {
    if (this.#state === "sent") return;
    this.#state = "sent";
    this.#cancelDeadline?.();
    send();
    const seconds = (this.#options.timers.elapsed() - this.#since) / 1000;
    this.#options.onHandled({ method: this.#method, code, seconds, caller: this.caller, error });
  }
}

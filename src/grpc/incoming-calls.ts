import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import { status as Code } from "@grpc/grpc-js";
import { type CofferError, shuttingDown, svidExpired } from "../domain/errors.ts";
import { type CallStatus, answerStatus, boundHeaders } from "./answer-stream.ts";
import type { AuthorizedRoute } from "./authorized-route.ts";
import type { Lease } from "./budget.ts";
import { EarlyAnswers } from "./early-answers.ts";
import { type GrpcTimeout, readTimeout } from "./grpc-timeout.ts";
import type { CallEnvironment } from "./arrival.ts";
import { IncomingCall, REQUEST_MS } from "./incoming-call.ts";
import { OpenCall, type OpenRoute } from "./open-call.ts";
import { overBudget } from "./over-budget.ts";
import { Overdue } from "./overdue.ts";
import type { Session } from "./session.ts";
import { toStatus } from "./status.ts";

/** How calls of a method are admitted and answered. */
export type Route = AuthorizedRoute | OpenRoute;

/** What {@link IncomingCalls} needs. */
export interface IncomingCallsOptions extends Omit<CallEnvironment, "early"> {
  /** The route of a method by its full path, or the route of unknown methods. */
  readonly routeOf: (path: string | undefined) => Route;
  /** Whether a new call may begin. */
  readonly accepts: () => boolean;
  /** Answers a call of an open route. */
  readonly answerOpen: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void;
}

// gRPC over HTTP/2, "Requests". A format follows "+", and parameters follow ";" (RFC 9110 8.3.1). application/grpc-web is
// another protocol, whose clients could not read the trailers.
const GRPC = /^application\/grpc($|[+;\s])/i;

// gRPC over HTTP/2, "Requests": a server should refuse other content types with this status of HTTP.
const NOT_GRPC: Refusal = {
  status: {
    httpStatus: 415,
    code: Code.INVALID_ARGUMENT,
    details: "the content-type is not application/grpc",
    metadata: undefined,
  },
  error: undefined,
};

// gRPC over HTTP/2, "Requests": the method is POST. node:http2 would send neither message nor trailers to HEAD.
const NOT_POST: Refusal = {
  status: { httpStatus: 405, code: Code.INTERNAL, details: "the HTTP method is not POST", metadata: undefined },
  error: undefined,
};

// The longest time for a caller to read its answer, in milliseconds. It begins when the time for the request is over.
const ANSWER_MS = 60_000;

/** Why a call is refused by its headers. `error` is defined if the status comes from one of Coffer's errors. */
interface Refusal {
  readonly status: CallStatus;
  readonly error: CofferError | undefined;
}

// A few kilobytes of gzip can decompress to millions of entries. No client needs it: secrets are small, and do not
// compress.
const COMPRESSED: Refusal = {
  status: { code: Code.UNIMPLEMENTED, details: "compressed requests are not supported", metadata: undefined },
  error: undefined,
};

const MALFORMED_TIMEOUT: Refusal = {
  status: {
    code: Code.INTERNAL,
    details: "invalid grpc-timeout: expected 1 to 8 digits and a unit of H, M, S, m, u or n",
    metadata: undefined,
  },
  error: undefined,
};

type TimedCall = IncomingCall | OpenCall;

/** A stream that a peer has opened. */
interface Opened {
  readonly session: Session;
  readonly stream: ServerHttp2Stream;
  readonly headers: IncomingHttpHeaders;
  /** Whether the peer has ended its request already. */
  readonly isComplete: boolean;
}

/** Receives each new stream, refuses calls by their headers, and begins the others. */
export class IncomingCalls {
  readonly #options: IncomingCallsOptions;
  readonly #environment: CallEnvironment;
  readonly #early: EarlyAnswers;
  readonly #unfinished: Overdue<TimedCall>;
  readonly #unread: Overdue<TimedCall>;

  constructor(options: IncomingCallsOptions) {
    const { timers, onHandled } = options;
    this.#options = options;
    this.#early = new EarlyAnswers(timers);
    this.#environment = { timers, onHandled, early: this.#early };
    this.#unread = new Overdue(timers, ANSWER_MS, (call) => {
      call.abandon();
      this.#unread.begin(call);
    });
    this.#unfinished = new Overdue(timers, REQUEST_MS, (call) => {
      call.expire();
      this.#unread.begin(call);
    });
  }

  /** Receives a stream that a peer has opened. */
  take(opened: Opened): void {
    const { session, headers } = opened;
    const route = this.#options.routeOf(headers[":path"]);
    const timeout = readTimeout(headers["grpc-timeout"]);
    const refusal = this.#refusal(session, headers, timeout);
    const lease = refusal === undefined ? session.budget.open() : undefined;
    if (lease === undefined) this.#refuse(opened, route, refusal ?? refusedBy(overBudget(session.budget, "calls")));
    else if (route.kind === "open") this.#beginOpen(opened, route, lease, timeout);
    else this.#begin(opened, route, lease, timeout);
  }

  /** Cancels the timers of all calls. */
  close(): void {
    this.#unfinished.close();
    this.#unread.close();
    this.#early.close();
  }

  #begin({ session, stream, isComplete }: Opened, route: AuthorizedRoute, lease: Lease, timeout: GrpcTimeout): void {
    const timeoutMs = timeout.kind === "timeout" ? timeout.ms : undefined;
    const since = this.#options.timers.elapsed();
    const { connection: caller, openCalls } = session;
    const arrival = { caller, stream, route, since, timeoutMs, isComplete, openCalls };
    const call = new IncomingCall(arrival, lease, this.#environment);
    this.#watch(session, stream, call);
    call.begin();
  }

  #beginOpen({ session, stream, headers }: Opened, route: OpenRoute, lease: Lease, timeout: GrpcTimeout): void {
    this.#watch(session, stream, new OpenCall(stream, route, lease));
    // grpc-js computes the original timeout incorrectly.
    if (timeout.kind === "timeout") headers["grpc-timeout"] = timeout.header;
    boundHeaders(stream, this.#early);
    this.#options.answerOpen(stream, headers);
  }

  /** Ends the call with its stream, and limits its duration. */
  #watch(session: Session, stream: ServerHttp2Stream, call: TimedCall): void {
    this.#unfinished.begin(call);
    session.opened(stream, () => {
      this.#unfinished.end(call);
      this.#unread.end(call);
      call.close();
    });
  }

  /** Reports a refused call of Coffer's own methods only: any other method name is arbitrary text from the peer. */
  #refuse({ session, stream }: Opened, route: Route, { status, error }: Refusal): void {
    session.opened(stream, () => {});
    if (route.kind === "authorized") {
      const { code } = status;
      this.#options.onHandled({ method: route.method, code, seconds: 0, caller: session.connection, error });
    }
    answerStatus(stream, status, this.#early);
    if (this.#isExpired(session)) session.expire();
  }

  #refusal(session: Session, headers: IncomingHttpHeaders, timeout: GrpcTimeout): Refusal | undefined {
    if (!this.#options.accepts()) return refusedBy(shuttingDown());
    if (this.#isExpired(session)) return refusedBy(svidExpired());
    if (!isIdentity(headers["grpc-encoding"])) return COMPRESSED;
    if (timeout.kind === "malformed") return MALFORMED_TIMEOUT;
    if (headers[":method"] !== "POST") return NOT_POST;
    return GRPC.test(headers["content-type"] ?? "") ? undefined : NOT_GRPC;
  }

  #isExpired({ connection }: Session): boolean {
    return this.#options.timers.clock() > connection.validUntil;
  }
}

function isIdentity(encoding: string | string[] | undefined): boolean {
  return encoding === undefined || encoding === "identity";
}

function refusedBy(error: CofferError): Refusal {
  return { status: toStatus(error), error };
}

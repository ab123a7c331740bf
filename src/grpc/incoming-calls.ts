import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import { type ServerUnaryCall, status as Code } from "@grpc/grpc-js";
import { type CofferError, budgetExceeded, shuttingDown, svidExpired } from "../domain/errors.ts";
import type { Timers } from "../domain/timers.ts";
import { type CallStatus, answerStatus } from "./answer-stream.ts";
import type { Lease } from "./budget.ts";
import { readTimeout } from "./grpc-timeout.ts";
import { type Arrival, IncomingCall, type Outcomes, REQUEST_MS, RETRY_MS, type Route } from "./incoming-call.ts";
import { Overdue } from "./overdue.ts";
import type { Session } from "./session.ts";
import { toStatus } from "./status.ts";

/** What {@link IncomingCalls} needs. */
export interface IncomingCallsOptions {
  /** The route of a method by its full path, or the route of unknown methods. */
  readonly routeOf: (path: string | undefined) => Route;
  /** Whether a new call may begin. */
  readonly accepts: () => boolean;
  readonly timers: Timers;
  readonly outcomes: Outcomes;
}

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

/** Receives each new stream before grpc-js does, and refuses by its headers what grpc-js would accept. */
export class IncomingCalls {
  readonly #options: IncomingCallsOptions;
  readonly #unfinished: Overdue<IncomingCall>;
  readonly #unread: Overdue<IncomingCall>;
  /** The calls that have begun and are not closed. */
  readonly #open = new Map<string, IncomingCall>();
  #last = 0;

  constructor(options: IncomingCallsOptions) {
    const { timers } = options;
    this.#options = options;
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
  take(session: Session, stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    const route = this.#options.routeOf(headers[":path"]);
    this.#last += 1;
    const arrival = { number: String(this.#last), caller: session.connection, stream, headers, route };
    // Always overwritten, whatever the peer sent: a handler finds its call, and so its caller, by this number.
    headers[":authority"] = arrival.number;
    const refusal = this.#refusal(session, headers);
    const lease = refusal === undefined ? session.budget.open() : undefined;
    if (lease !== undefined) this.#begin(arrival, lease, session);
    else this.#refuse(arrival, refusal ?? refusedBy(callsExceeded(session)), session);
  }

  /**
   * The call that a handler of grpc-js answers. grpc-js does not give its handlers the stream, but it does give them
   * the `:authority` of the request, which {@link take} sets to the number of the call. Undefined if the stream is
   * closed.
   */
  of(call: Pick<ServerUnaryCall<unknown, unknown>, "getHost">): IncomingCall | undefined {
    return this.#open.get(call.getHost());
  }

  #begin(arrival: Arrival, lease: Lease, session: Session): void {
    const call = new IncomingCall(arrival, lease, this.#options.outcomes);
    this.#open.set(arrival.number, call);
    this.#unfinished.begin(call);
    session.opened(arrival.stream, () => {
      this.#open.delete(arrival.number);
      this.#unfinished.end(call);
      this.#unread.end(call);
      call.close();
    });
    call.begin();
  }

  #refuse(arrival: Arrival, { status, error }: Refusal, session: Session): void {
    session.opened(arrival.stream, () => {});
    this.#options.outcomes.refused(arrival, status.code, error);
    answerStatus(arrival.stream, status);
    if (this.#isExpired(session)) session.expire();
  }

  /** Cancels the timers of all calls. */
  close(): void {
    this.#unfinished.close();
    this.#unread.close();
  }

  #refusal(session: Session, headers: IncomingHttpHeaders): Refusal | undefined {
    if (!this.#options.accepts()) return refusedBy(shuttingDown());
    if (this.#isExpired(session)) return refusedBy(svidExpired());
    if (!isIdentity(headers["grpc-encoding"])) return COMPRESSED;
    return boundTimeout(headers);
  }

  #isExpired({ connection }: Session): boolean {
    return this.#options.timers.clock() > connection.validUntil;
  }
}

/** Replaces a timeout that grpc-js computes incorrectly. Refuses a malformed one, as other gRPC servers do. */
function boundTimeout(headers: IncomingHttpHeaders): Refusal | undefined {
  const timeout = readTimeout(headers["grpc-timeout"]);
  if (timeout.kind === "malformed") return MALFORMED_TIMEOUT;
  if (timeout.kind === "timeout") headers["grpc-timeout"] = timeout.header;
  return undefined;
}

function isIdentity(encoding: string | string[] | undefined): boolean {
  return encoding === undefined || encoding === "identity";
}

function refusedBy(error: CofferError): Refusal {
  return { status: toStatus(error), error };
}

function callsExceeded({ budget }: Session): CofferError {
  return budgetExceeded("calls", budget.limitOf("calls"), RETRY_MS);
}

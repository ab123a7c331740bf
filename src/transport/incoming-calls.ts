import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import { status as Code } from "@grpc/grpc-js";
import { type CofferError, budgetExceeded, shuttingDown, svidExpired } from "../domain/errors.ts";
import type { Timers } from "../domain/timers.ts";
import { type CallStatus, answerStatus, boundAnswer } from "./answer-stream.ts";
import { readTimeout } from "./grpc-timeout.ts";
import {
  ANSWER_MS,
  type Arrival,
  IncomingCall,
  type IncomingOptions,
  REQUEST_MS,
  RETRY_MS,
  type Route,
} from "./incoming-call.ts";
import { Overdue } from "./overdue.ts";
import type { Session } from "./session.ts";
import { toStatus } from "./status.ts";

/** What incoming calls need. */
export interface IncomingCallsOptions {
  /** The route of a method by its full path; the one for unknown methods when there is none. */
  readonly routeOf: (path: string | undefined) => Route;
  /** Whether a new call may begin. */
  readonly accepts: () => boolean;
  readonly timers: Timers;
  /** A call was answered before its method could be called. */
  readonly onRefused: IncomingOptions["onRefused"];
}

/** Why a call is not begun: a status, and the error that it comes from if that is one of Coffer's. */
interface Refusal {
  readonly status: CallStatus;
  readonly error: CofferError | undefined;
}

// A few kilobytes of gzip become millions of entries. No client of Coffer needs it: secrets are small, and do not compress.
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

const NOTHING_UNSENT = { held: () => {}, sent: () => {} };

/** Looks at the headers of each call before grpc-js does, and refuses what grpc-js would take. */
export class IncomingCalls {
  readonly #options: IncomingCallsOptions;
  readonly #shared: IncomingOptions;

  constructor(options: IncomingCallsOptions) {
    const { timers, onRefused } = options;
    this.#options = options;
    this.#shared = {
      unfinished: new Overdue(timers, REQUEST_MS, (call) => call.expire()),
      unread: new Overdue(timers, ANSWER_MS, (call) => call.abandon()),
      onRefused,
    };
  }

  /** Takes a stream that a peer has opened. */
  take(session: Session, stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    // The stream's end is what counts. Without a listener a peer's fault would end the process.
    stream.on("error", () => {});
    const arrival = { caller: session.connection, stream, headers, route: this.#options.routeOf(headers[":path"]) };
    const refusal = this.#refusal(session, headers);
    const lease = refusal === undefined ? session.budget.open() : undefined;
    if (refusal !== undefined) this.#refuse(arrival, refusal);
    else if (lease === undefined) this.#refuse(arrival, refusedBy(callsExceeded(session)));
    else new IncomingCall(arrival, lease, this.#shared).begin();
    if (this.#isExpired(session)) session.expire();
  }

  /** Waits for no call any more. */
  close(): void {
    this.#shared.unfinished.close();
    this.#shared.unread.close();
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

  #refuse(arrival: Arrival, { status, error }: Refusal): void {
    this.#options.onRefused(arrival, status.code, error);
    boundAnswer(arrival.stream, NOTHING_UNSENT);
    answerStatus(arrival.stream, status);
  }
}

/** Has grpc-js read a timeout that it can compute with; refuses what is not one, as the other gRPC servers do. */
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

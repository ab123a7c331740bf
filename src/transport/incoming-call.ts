import { type IncomingHttpHeaders, type ServerHttp2Stream, constants } from "node:http2";
import { status as Code } from "@grpc/grpc-js";
import { type LeadingField, leadingStringSoFar } from "../contract/leading-string.ts";
import { MAX_RECEIVE_BYTES } from "../contract/limits.ts";
import { type CofferError, budgetExceeded, malformedRequest, requestIncomplete } from "../domain/errors.ts";
import { type CallStatus, answerStatus, boundAnswer } from "./answer-stream.ts";
import type { Lease, Resource } from "./budget.ts";
import type { CallServer } from "./call-server.ts";
import type { Connection } from "./connection.ts";
import type { Overdue } from "./overdue.ts";
import { toCofferError, toStatus } from "./status.ts";

/** What is known of a method before its request is read. */
export type Route =
  /** Only some callers may call it: its request begins with the target by which `authorize` decides, or throws. */
  | {
      readonly kind: "authorized";
      readonly server: CallServer;
      readonly target: LeadingField;
      readonly authorize: (caller: Connection, target: string) => void;
    }
  /** Every caller with a valid SVID may call it. `isStreaming`: its requests have no end. */
  | { readonly kind: "open"; readonly server: CallServer; readonly isStreaming: boolean };

/** A call as it came. */
export interface Arrival {
  readonly caller: Connection;
  readonly stream: ServerHttp2Stream;
  readonly headers: IncomingHttpHeaders;
  readonly route: Route;
}

/** What all calls share. */
export interface IncomingOptions {
  /** Calls whose requests have to be complete in time. */
  readonly unfinished: Overdue<IncomingCall>;
  /** Calls whose answers have to be taken in time. */
  readonly unread: Overdue<IncomingCall>;
  /** A call was answered before its method could be called. */
  readonly onRefused: (arrival: Arrival, code: Code, error: CofferError | undefined) => void;
}

/** The longest that a request may take from its headers to its end, in milliseconds. */
export const REQUEST_MS = 30_000;

/** The longest that the caller may take to read its answer, in milliseconds. */
export const ANSWER_MS = 60_000;

/** When a call that was over its caller's budget may be made again, in milliseconds. */
export const RETRY_MS = 1000;

// A compressed-flag and a length of four bytes ("Length-Prefixed-Message" in gRPC over HTTP/2).
const PREFIX_BYTES = 5;

const COMPRESSED: CallStatus = {
  code: Code.INTERNAL,
  details: "the message is marked as compressed, and there is no grpc-encoding",
  metadata: undefined,
};

/**
 * A call from its headers to the point where grpc-js may read it: its caller is authorized and there is room for the
 * request. Until then HTTP/2's flow control holds the request back, so that it costs the server one window of 64 KiB.
 */
export class IncomingCall {
  readonly arrival: Arrival;
  readonly #options: IncomingOptions;
  readonly #lease: Lease;
  /** What was read to look at it. It goes back into the stream before grpc-js gets that. */
  #bytes: Buffer = Buffer.alloc(0);
  #state: "reading" | "waiting" | "answering" = "reading";

  constructor(arrival: Arrival, lease: Lease, options: IncomingOptions) {
    this.arrival = arrival;
    this.#lease = lease;
    this.#options = options;
  }

  /** Begins to read the request, as far as that is due. */
  begin(): void {
    const { stream, route } = this.arrival;
    const isEndless = route.kind === "open" && route.isStreaming;
    boundAnswer(stream, {
      held: (bytes) => {
        this.#lease.hold("bytes", bytes);
        if (!isEndless) this.#options.unread.begin(this);
      },
      sent: (bytes) => this.#lease.give("bytes", bytes),
    });
    if (!isEndless) this.#options.unfinished.begin(this);
    stream.once("end", () => this.#ended());
    stream.once("close", () => this.#closed());
    if (route.kind === "open") this.#answer();
    else this.#read();
  }

  /** The request was not complete in time. */
  expire(): void {
    const refusal = this.#state === "waiting" ? this.#overBudget("bytes") : requestIncomplete(REQUEST_MS);
    this.#refuse(refusal);
  }

  /** The caller did not read its answer in time. */
  abandon(): void {
    this.arrival.stream.close(constants.NGHTTP2_CANCEL);
  }

  readonly #read = (): void => {
    const { stream } = this.arrival;
    const chunk = stream.read() as Buffer | null;
    if (chunk !== null) this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
    try {
      this.#look();
    } catch (error) {
      this.#refuse(toCofferError(error));
    }
  };

  /** Decides by what has been read: wait for more, refuse, or let the call have the room that it needs. */
  #look(): void {
    if (this.#bytes.length < PREFIX_BYTES) return this.#readOn();
    if (this.#bytes[0] !== 0) return this.#reject(COMPRESSED, undefined);
    const length = this.#bytes.readUInt32BE(1);
    const isComplete = this.#bytes.length >= PREFIX_BYTES + length;
    // grpc-js refuses a request that is too long by its length.
    if (length > MAX_RECEIVE_BYTES) this.#answer();
    else if (isComplete || this.#isAuthorized()) this.#request(length);
    else this.#readOn();
  }

  /** Whether the caller may make this call, before the rest of its request is read. Throws when it may not. */
  #isAuthorized(): boolean {
    const { caller, route } = this.arrival;
    if (route.kind === "open") return true;
    const target = leadingStringSoFar(this.#bytes.subarray(PREFIX_BYTES), route.target);
    if (target !== undefined) route.authorize(caller, target);
    return target !== undefined;
  }

  #readOn(): void {
    if (!this.#holdUnread()) return this.#refuse(this.#overBudget("unread"));
    this.arrival.stream.once("readable", this.#read);
  }

  /** Lets the call have room for its request, now or when there is some. */
  #request(bytes: number): void {
    this.#state = "waiting";
    this.#putBack();
    const isGranted = this.#lease.request(bytes, () => this.#answer());
    if (!isGranted && !this.#holdUnread()) this.#refuse(this.#overBudget("unread"));
  }

  /** False when the caller has as many unfinished requests as it may. */
  #holdUnread(): boolean {
    if (this.#lease.holds("unread")) return true;
    const fits = this.#lease.fits("unread", 1);
    if (fits) this.#lease.hold("unread", 1);
    return fits;
  }

  #putBack(): void {
    const { stream } = this.arrival;
    stream.off("readable", this.#read);
    if (this.#bytes.length > 0) stream.unshift(this.#bytes);
    this.#bytes = Buffer.alloc(0);
  }

  #answer(): void {
    const { stream, headers, route } = this.arrival;
    if (stream.destroyed || stream.closed) return;
    this.#putBack();
    this.#state = "answering";
    if (this.#lease.holds("unread")) this.#lease.give("unread", 1);
    route.server.answer(stream, headers);
  }

  /** The caller sends no more. grpc-js learns of it by itself when it has the stream. */
  #ended(): void {
    this.#options.unfinished.end(this);
    if (this.#state === "reading") this.#refuse(malformedRequest("it ends before its message is complete"));
  }

  #closed(): void {
    this.#options.unfinished.end(this);
    this.#options.unread.end(this);
    this.#lease.release();
  }

  #overBudget(resource: Resource): CofferError {
    return budgetExceeded(resource, this.#lease.limitOf(resource), RETRY_MS);
  }

  #refuse(error: CofferError): void {
    this.#reject(toStatus(error), error);
  }

  #reject(status: CallStatus, error: CofferError | undefined): void {
    const { stream } = this.arrival;
    stream.off("readable", this.#read);
    if (!stream.destroyed && !stream.closed) this.#options.onRefused(this.arrival, status.code, error);
    answerStatus(stream, status);
  }
}

import { type IncomingHttpHeaders, type ServerHttp2Stream, constants } from "node:http2";
import { status as Code } from "@grpc/grpc-js";
import { type LeadingField, leadingStringSoFar } from "../contract/leading-string.ts";
import { MAX_RECEIVE_BYTES } from "../contract/limits.ts";
import { type CofferError, budgetExceeded, malformedRequest, requestIncomplete } from "../domain/errors.ts";
import { type CallStatus, answerStatus, boundHeaders } from "./answer-stream.ts";
import type { Lease } from "./budget.ts";
import type { Resource } from "./budget-memory.ts";
import type { Connection } from "../admission/connection.ts";
import type { MethodId } from "./method-id.ts";
import { toCofferError, toStatus } from "./status.ts";
import { CarriedBytes } from "./carried-bytes.ts";

/** How calls of a method are admitted, before their requests are read. */
export type Route =
  /**
   * The policy decides who may call it. `authorize` throws if the caller may not use `target`, the first field of the
   * request.
   */
  | {
      readonly kind: "authorized";
      readonly method: MethodId;
      readonly target: LeadingField;
      readonly authorize: (caller: Connection, target: string) => void;
    }
  /** Every caller with a valid SVID may call it, and its requests are small. `isStreaming`: its calls can stay open. */
  | { readonly kind: "open"; readonly isStreaming: boolean };

/** A call as it arrived. */
export interface Arrival {
  /** Identifies the call in {@link IncomingCalls}. */
  readonly number: string;
  readonly caller: Connection;
  readonly stream: ServerHttp2Stream;
  readonly headers: IncomingHttpHeaders;
  readonly route: Route;
}

/** Receives the outcome of admitting a call. */
export interface Outcomes {
  /** Called when grpc-js may read the request and answer it. */
  readonly admitted: (call: IncomingCall) => void;
  /** Called when the call was answered with a status instead of being admitted. */
  readonly refused: (arrival: Arrival, code: Code, error: CofferError | undefined) => void;
}

/** The longest time from a request's headers to its end, in milliseconds. */
export const REQUEST_MS = 30_000;

/** The delay after which a caller may retry a call that exceeded its budget, in milliseconds. */
export const RETRY_MS = 1000;

// A compressed-flag and a length of four bytes ("Length-Prefixed-Message" in gRPC over HTTP/2).
const PREFIX_BYTES = 5;

const COMPRESSED: CallStatus = {
  code: Code.INTERNAL,
  details: "the message is marked as compressed, but the request has no grpc-encoding",
  metadata: undefined,
};

const TOO_LONG: CallStatus = {
  code: Code.RESOURCE_EXHAUSTED,
  details: `the request is longer than ${MAX_RECEIVE_BYTES} bytes`,
  metadata: undefined,
};

const NOTHING = Buffer.alloc(0);

/**
 * A call from its headers to its end. grpc-js reads the request only after the caller is authorized and its budget has
 * space for the request. Until then, HTTP/2 flow control holds the request back, so that it costs the server at most
 * one window of 64 KiB.
 */
export class IncomingCall {
  readonly arrival: Arrival;
  readonly #lease: Lease;
  readonly #outcomes: Outcomes;
  readonly #carried: CarriedBytes;
  /** The bytes that were read for authorization. They are put back into the stream before grpc-js gets it. */
  #bytes: Buffer = NOTHING;
  #state: "reading" | "waiting" | "answering" | "refused" = "reading";
  #isWatched = false;
  /** The length of its one message in bytes, including the prefix. */
  #length = 0;

  constructor(arrival: Arrival, lease: Lease, outcomes: Outcomes) {
    this.arrival = arrival;
    this.#lease = lease;
    this.#outcomes = outcomes;
    this.#carried = new CarriedBytes(arrival.stream);
  }

  /** Begins to read the request if its route requires authorization; otherwise admits it. */
  begin(): void {
    const { stream, route } = this.arrival;
    boundHeaders(stream);
    if (route.kind === "authorized") this.#read();
    else this.#answer();
  }

  /**
   * Runs `task`, which creates the answer, when the answers that the caller has not read yet leave space in its budget.
   * Limiting the requests does not limit the answers: many small requests can arrive in one turn, and each can have a
   * large answer.
   */
  whenRoom(task: () => void): void {
    this.#state = "waiting";
    this.#lease.request(0, () => {
      // The call was refused in the meantime. Its stream is still open because its caller does not read the refusal.
      if (this.#state !== "waiting") return;
      this.#state = "answering";
      task();
    });
  }

  /** An answer of `bytes` bytes is about to be sent. They count against the budget until the call is closed. */
  answers(bytes: number): void {
    this.#lease.hold("bytes", bytes);
    this.#carried.expectAnswer();
  }

  /** Overwrites the bytes of the request, after it has been decoded into copies. */
  wipeRequest(): void {
    this.#carried.wipeRequest();
  }

  /** Refuses the call if its request is still incomplete or waiting at the end of REQUEST_MS. */
  expire(): void {
    if (this.#isEndless) return;
    if (this.#state === "waiting") this.#refuse(this.#overBudget("bytes"));
    else if (this.arrival.stream.state.remoteClose !== 1) this.#refuse(requestIncomplete(REQUEST_MS));
  }

  /**
   * Cancels the call if the caller has not read the whole answer. Called when the time for reading it is over. A stream
   * without pending output stays open.
   */
  abandon(): void {
    const { stream } = this.arrival;
    const isUnread = stream.headersSent && (stream.writableLength > 0 || stream.writableEnded);
    if (isUnread) stream.close(constants.NGHTTP2_CANCEL);
  }

  /** The stream is closed. */
  close(): void {
    this.#lease.release();
    this.#carried.wipeRequest();
  }

  get #isEndless(): boolean {
    const { route } = this.arrival;
    return route.kind === "open" && route.isStreaming;
  }

  readonly #read = (): void => {
    const chunk = this.#carried.read();
    if (chunk !== null) this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
    try {
      this.#look();
    } catch (error) {
      this.#refuse(toCofferError(error));
    }
  };

  /** Decides by the bytes read so far: wait for more, refuse the call, or request space for it in the budget. */
  #look(): void {
    if (this.#bytes.length < PREFIX_BYTES) this.#readOn();
    else if (this.#bytes[0] !== 0) this.#reject(COMPRESSED);
    else this.#admit(this.#bytes.readUInt32BE(1));
  }

  /** Continues {@link #look} for a message of `length` bytes. */
  #admit(length: number): void {
    this.#length = PREFIX_BYTES + length;
    const isWhole = this.#bytes.length >= this.#length;
    if (length > MAX_RECEIVE_BYTES) this.#reject(TOO_LONG);
    else if (isWhole || this.#isAuthorized()) this.#request(length);
    else this.#readOn();
  }

  /**
   * Authorizes the call by the start of its request. False if too little has arrived. Throws if the caller may not make
   * it.
   */
  #isAuthorized(): boolean {
    const { caller, route } = this.arrival;
    if (route.kind === "open") return true;
    const target = leadingStringSoFar(this.#bytes.subarray(PREFIX_BYTES), route.target);
    if (target !== undefined) route.authorize(caller, target);
    return target !== undefined;
  }

  #readOn(): void {
    if (this.#holdUnread()) this.#awaitMore();
    else this.#refuse(this.#overBudget("unread"));
  }

  #awaitMore(): void {
    const { stream } = this.arrival;
    stream.once("readable", this.#read);
    if (this.#isWatched) return;
    this.#isWatched = true;
    stream.once("end", () => this.#ended());
  }

  /** Takes space for the request from the budget, now or when there is some. */
  #request(bytes: number): void {
    this.#state = "waiting";
    this.#putBack();
    if (this.#lease.request(bytes, () => this.#answer())) return;
    if (!this.#holdUnread()) this.#refuse(this.#overBudget("unread"));
  }

  /** Counts the request as unread. False if the caller has the most unread requests that it may have. */
  #holdUnread(): boolean {
    if (this.#lease.holds("unread")) return true;
    const fits = this.#lease.fits("unread", 1);
    if (fits) this.#lease.hold("unread", 1);
    return fits;
  }

  #putBack(): void {
    const { stream } = this.arrival;
    stream.off("readable", this.#read);
    stream.unshift(this.#bytes);
    this.#bytes = NOTHING;
  }

  #answer(): void {
    const { stream, route } = this.arrival;
    if (stream.destroyed || stream.closed || this.#state === "refused") return;
    this.#state = "answering";
    if (route.kind === "authorized") this.#follow();
    this.#lease.read();
    this.#outcomes.admitted(this);
  }

  /**
   * Refuses a request with a second message. grpc-js would collect up to 4 MiB of the second message first, and the
   * budget counts only the first.
   */
  #follow(): void {
    const exceeded = () => this.#refuse(malformedRequest("bytes follow its message"));
    this.#carried.follow(this.#length, exceeded);
  }

  /** The caller has ended its request. After the call is admitted, grpc-js handles this itself. */
  #ended(): void {
    if (this.#state === "reading") this.#refuse(malformedRequest("it ends before its message is complete"));
  }

  #overBudget(resource: Resource): CofferError {
    return budgetExceeded(resource, this.#lease.limitOf(resource), RETRY_MS);
  }

  #refuse(error: CofferError): void {
    this.#reject(toStatus(error), error);
  }

  #reject(status: CallStatus, error?: CofferError): void {
    const { stream } = this.arrival;
    stream.off("readable", this.#read);
    if (stream.destroyed || stream.closed || stream.headersSent) return;
    this.#state = "refused";
    this.#outcomes.refused(this.arrival, status.code, error);
    answerStatus(stream, status);
  }
}

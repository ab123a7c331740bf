import { type IncomingHttpHeaders, type ServerHttp2Stream, constants } from "node:http2";
import { status as Code } from "@grpc/grpc-js";
import { type LeadingField, leadingStringSoFar } from "../contract/leading-string.ts";
import { MAX_RECEIVE_BYTES } from "../contract/limits.ts";
import { type CofferError, budgetExceeded, malformedRequest, requestIncomplete } from "../domain/errors.ts";
import { type CallStatus, answerStatus, boundHeaders } from "./answer-stream.ts";
import type { Lease, Resource } from "./budget.ts";
import type { Connection } from "../admission/connection.ts";
import { toCofferError, toStatus } from "./status.ts";
import { CarriedBytes } from "./carried-bytes.ts";

/** What is known of a method before its request is read. */
export type Route =
  /** Only some callers may call it: its request begins with the target by which `authorize` decides, or throws. */
  | {
      readonly kind: "authorized";
      readonly target: LeadingField;
      readonly authorize: (caller: Connection, target: string) => void;
    }
  /** Every caller with a valid SVID may call it, and its requests are small. `isStreaming`: its calls have no end. */
  | { readonly kind: "open"; readonly isStreaming: boolean };

/** A call as it came. */
export interface Arrival {
  /** By which {@link IncomingCalls} finds it again. */
  readonly number: string;
  readonly caller: Connection;
  readonly stream: ServerHttp2Stream;
  readonly headers: IncomingHttpHeaders;
  readonly route: Route;
}

/** What becomes of a call. */
export interface Outcomes {
  /** grpc-js may read the request and answer it. */
  readonly admitted: (call: IncomingCall) => void;
  /** It was answered before its method could be called. */
  readonly refused: (arrival: Arrival, code: Code, error: CofferError | undefined) => void;
}

/** The longest that a request may take from its headers to its end, in milliseconds. */
export const REQUEST_MS = 30_000;

/** When a call that was over its caller's budget may be made again, in milliseconds. */
export const RETRY_MS = 1000;

// A compressed-flag and a length of four bytes ("Length-Prefixed-Message" in gRPC over HTTP/2).
const PREFIX_BYTES = 5;

const COMPRESSED: CallStatus = {
  code: Code.INTERNAL,
  details: "the message is marked as compressed, and there is no grpc-encoding",
  metadata: undefined,
};

const TOO_LONG: CallStatus = {
  code: Code.RESOURCE_EXHAUSTED,
  details: `the request is longer than ${MAX_RECEIVE_BYTES} bytes`,
  metadata: undefined,
};

const NOTHING = Buffer.alloc(0);

/**
 * A call from its headers to its end. grpc-js may read it when its caller is authorized and there is room for the request.
 * Until then HTTP/2's flow control holds the request back, so that it costs the server one window of 64 KiB.
 */
export class IncomingCall {
  readonly arrival: Arrival;
  readonly #lease: Lease;
  readonly #outcomes: Outcomes;
  readonly #carried: CarriedBytes;
  /** What was read to look at it. It goes back into the stream before grpc-js gets that. */
  #bytes: Buffer = NOTHING;
  #state: "reading" | "waiting" | "answering" | "refused" = "reading";
  #isWatched = false;
  /** The bytes of its one message, with the prefix. */
  #length = 0;

  constructor(arrival: Arrival, lease: Lease, outcomes: Outcomes) {
    this.arrival = arrival;
    this.#lease = lease;
    this.#outcomes = outcomes;
    this.#carried = new CarriedBytes(arrival.stream);
  }

  /** Begins to read the request, as far as that is due. */
  begin(): void {
    const { stream, route } = this.arrival;
    boundHeaders(stream);
    if (route.kind === "authorized") this.#read();
    else this.#answer();
  }

  /**
   * Runs `task`, which makes the answer, when the answers that the caller has not read leave room. Many requests arrive in one
   * turn, each of them small, so that their own room does not bound what they are answered with.
   */
  whenRoom(task: () => void): void {
    this.#state = "waiting";
    this.#lease.request(0, () => {
      // It was refused meanwhile, and its stream is not closed yet, since its caller does not read the refusal.
      if (this.#state !== "waiting") return;
      this.#state = "answering";
      task();
    });
  }

  /** An answer of so many bytes is about to be sent. They are held until the call is closed. */
  answers(bytes: number): void {
    this.#lease.hold("bytes", bytes);
    this.#carried.expectAnswer();
  }

  /** The request was decoded, into copies. */
  wipeRequest(): void {
    this.#carried.wipeRequest();
  }

  /** The time for the request is over. */
  expire(): void {
    if (this.#isEndless) return;
    if (this.#state === "waiting") this.#refuse(this.#overBudget("bytes"));
    else if (this.arrival.stream.state.remoteClose !== 1) this.#refuse(requestIncomplete(REQUEST_MS));
  }

  /** The time for the answer is over: what was sent of it, the caller does not read. A stream that waits for news stays open. */
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

  /** Decides by what has been read: wait for more, refuse, or let the call have the room that it needs. */
  #look(): void {
    if (this.#bytes.length < PREFIX_BYTES) this.#readOn();
    else if (this.#bytes[0] !== 0) this.#reject(COMPRESSED);
    else this.#admit(this.#bytes.readUInt32BE(1));
  }

  /** The same, of a message of so many bytes. */
  #admit(length: number): void {
    this.#length = PREFIX_BYTES + length;
    const isWhole = this.#bytes.length >= this.#length;
    if (length > MAX_RECEIVE_BYTES) this.#reject(TOO_LONG);
    else if (isWhole || this.#isAuthorized()) this.#request(length);
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

  /** Lets the call have room for its request, now or when there is some. */
  #request(bytes: number): void {
    this.#state = "waiting";
    this.#putBack();
    if (this.#lease.request(bytes, () => this.#answer())) return;
    if (!this.#holdUnread()) this.#refuse(this.#overBudget("unread"));
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

  /** grpc-js would collect a second message of up to 4 MiB before it refuses it, and the budget has room for the first alone. */
  #follow(): void {
    const exceeded = () => this.#refuse(malformedRequest("bytes follow its message"));
    this.#carried.follow(this.#length, exceeded);
  }

  /** The caller sends no more. grpc-js learns of it by itself when it has the stream. */
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

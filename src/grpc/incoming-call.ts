import { status as Code } from "@grpc/grpc-js";
import { leadingStringSoFar } from "../contract/leading-string.ts";
import { DEFAULT_DEADLINE_MS, MAX_RECEIVE_BYTES } from "../contract/limits.ts";
import { type CofferError, deadlineExceeded, malformedRequest, requestIncomplete } from "../domain/errors.ts";
import type { Connection } from "../admission/connection.ts";
import { type CallStatus, answerMessage, answerStatus, cancelUnread } from "./answer-stream.ts";
import type { Arrival, CallEnvironment } from "./arrival.ts";
import type { AnswerableCall } from "./authorized-route.ts";
import type { Lease } from "./budget.ts";
import { PREFIX_BYTES } from "./framing.ts";
import { MessageStream, type MessageListener } from "./message-stream.ts";
import { overBudget } from "./over-budget.ts";
import { TimedItem } from "./overdue.ts";
import { COMPRESSED_MESSAGE, EXPIRED, TOO_LONG } from "./refused-request.ts";
import { RequestBytes } from "./request-bytes.ts";
import { codeOf, toCofferError, toStatus } from "./status.ts";

/** The longest time from a request's headers to its end, in milliseconds. */
export const REQUEST_MS = 30_000;

/**
 * - reading: the start of the request, as much as authorization needs.
 * - waiting: for space in the caller's budget.
 * - collecting: the rest of the request.
 * - answering: the method runs.
 * - streaming: messages are sent until the method or the caller ends the call.
 * - over: answered or refused.
 */
type State = "reading" | "waiting" | "collecting" | "answering" | "streaming" | "over";

/**
 * A call of Coffer's own service, from its headers to its end. The request is read only after the caller is authorized
 * and its budget has space for the request. Until then, HTTP/2 flow control holds the request back, so that it costs the
 * server at most one window of 64 KiB.
 *
 * A request that has arrived completely with its headers, as almost all do, is answered without a listener or a timer.
 */
export class IncomingCall extends TimedItem implements AnswerableCall {
  readonly #arrival: Arrival;
  readonly #lease: Lease;
  readonly #environment: CallEnvironment;
  readonly #request: RequestBytes;
  #state: State = "reading";
  /** Whether the caller has ended its request and all of it was read. */
  #hasEnded: boolean;
  #cancelDeadline: (() => void) | undefined;
  /** Reads more of an incomplete request; undefined if it was complete from the start. */
  #listener: (() => void) | undefined;
  #messages: MessageStream | undefined;
  /** When the answer of a streaming call began, in monotonic milliseconds. */
  #streamingSince: number | undefined;

  constructor(arrival: Arrival, lease: Lease, environment: CallEnvironment) {
    super();
    this.#arrival = arrival;
    this.#lease = lease;
    this.#environment = environment;
    this.#request = new RequestBytes(arrival.stream);
    this.#hasEnded = arrival.isComplete;
  }

  get caller(): Connection {
    return this.#arrival.caller;
  }

  get isOver(): boolean {
    const { stream } = this.#arrival;
    return this.#state === "over" || stream.destroyed || stream.closed;
  }

  /** Begins to read the request. */
  begin(): void {
    if (!this.#hasEnded) this.#awaitEnd();
    this.#read();
    if (this.#state !== "over") this.#awaitDeadline();
  }

  whenRoom(task: () => void): void {
    this.#state = "waiting";
    this.#lease.request(0, () => {
      // The call was refused in the meantime. Its stream is still open because its caller does not read the refusal.
      if (this.#state !== "waiting") return;
      this.#state = "answering";
      task();
    });
  }

  /** The bytes of the answer count against the budget until the call is closed. */
  succeed(framed: Buffer): void {
    if (this.#state === "over") {
      framed.fill(0);
      return;
    }
    this.#lease.hold("bytes", framed.length);
    answerMessage(this.#arrival.stream, framed);
    this.#end(Code.OK, undefined);
  }

  /** No time limit applies to the answer except that of the caller. */
  beginStream(listener: MessageListener, bytes: number): MessageStream {
    if (!this.#lease.fits("bytes", bytes)) throw overBudget(this.#lease, "bytes");
    const { stream, openCalls } = this.#arrival;
    this.#lease.hold("bytes", bytes);
    this.#messages = new MessageStream(stream, this.#lease, listener);
    this.#state = "streaming";
    this.#streamingSince = this.#environment.timers.elapsed();
    openCalls.enter(this);
    return this.#messages;
  }

  retainBudget(): () => void {
    return this.#lease.retain();
  }

  fail(failure: unknown): void {
    const error = toCofferError(failure);
    if (this.#state !== "over") this.#reject(toStatus(error), error);
  }

  wipeRequest(): void {
    this.#request.wipe();
  }

  /**
   * Called {@link REQUEST_MS} after the headers arrived. The time for the request is over, and if the caller set no
   * deadline, the time for the answer too: both times are equal.
   */
  expire(): void {
    if (this.#state === "streaming") return;
    if (this.#state === "waiting") this.fail(overBudget(this.#lease, "bytes"));
    else if (this.#state === "reading" || this.#state === "collecting") this.fail(requestIncomplete(REQUEST_MS));
    else if (this.#arrival.timeoutMs === undefined) this.fail(deadlineExceeded(DEFAULT_DEADLINE_MS));
  }

  /** Cancels the call if the caller has not read the whole answer. Called when the time for reading it is over. */
  abandon(): void {
    if (this.#state !== "streaming") cancelUnread(this.#arrival.stream);
  }

  /** The stream is closed. */
  close(): void {
    if (this.#state === "streaming") this.#end(Code.CANCELLED, undefined);
    this.#cancelDeadline?.();
    this.#lease.release();
    this.#request.wipe();
  }

  /** A call that is answered at once needs no timer, so it begins only when the call has to wait for something. */
  #awaitDeadline(): void {
    const { timeoutMs } = this.#arrival;
    if (timeoutMs === undefined) return;
    this.#cancelDeadline = this.#environment.timers.delay(timeoutMs, () => this.#reject(EXPIRED));
  }

  #read(): void {
    this.#request.read();
    try {
      if (this.#state === "reading") this.#look();
      else if (this.#state === "collecting") this.#collect();
    } catch (error) {
      this.fail(error);
    }
  }

  /** Decides by the bytes read so far: wait for more, refuse the call, or request space for it in the budget. */
  #look(): void {
    const { bytes } = this.#request;
    if (bytes.length < PREFIX_BYTES) this.#readOn();
    else if (bytes[0] !== 0) this.#reject(COMPRESSED_MESSAGE);
    else this.#admit(bytes.readUInt32BE(1));
  }

  /** Continues {@link #look} for a message of `length` bytes. */
  #admit(length: number): void {
    if (length > MAX_RECEIVE_BYTES) this.#reject(TOO_LONG);
    else if (this.#request.bytes.length >= PREFIX_BYTES + length || this.#isAuthorized()) this.#requestSpace(length);
    else this.#readOn();
  }

  /**
   * Authorizes the call by the start of its request. False if too little has arrived. Throws if the caller may not make
   * it.
   */
  #isAuthorized(): boolean {
    const { caller, route } = this.#arrival;
    const bytes = this.#request.bytes.subarray(PREFIX_BYTES);
    const target = route.target === undefined ? "" : leadingStringSoFar(bytes, route.target);
    if (target !== undefined) route.authorize(caller, target);
    return target !== undefined;
  }

  /** Takes space for the request from the budget, now or when there is some. */
  #requestSpace(length: number): void {
    this.#state = "waiting";
    this.#stopReading();
    const granted = () => {
      if (this.isOver) return;
      this.#state = "collecting";
      this.#lease.read();
      this.#request.expect(PREFIX_BYTES + length);
      this.#collect();
    };
    if (this.#lease.request(length, granted)) return;
    if (!this.#holdUnread()) this.fail(overBudget(this.#lease, "unread"));
  }

  /** Answers when the caller has ended its request: a message, and nothing after it. */
  #collect(): void {
    const { missing } = this.#request;
    if (missing < 0) this.fail(malformedRequest("bytes follow its message"));
    else if (!this.#hasEnded) this.#awaitMore();
    else if (missing > 0) this.fail(malformedRequest("it ends before its message is complete"));
    else this.#answer();
  }

  #answer(): void {
    this.#state = "answering";
    this.#arrival.route.answer(this, this.#request.bytes.subarray(PREFIX_BYTES));
  }

  #readOn(): void {
    if (this.#hasEnded) this.fail(malformedRequest("it ends before its message is complete"));
    else if (this.#holdUnread()) this.#awaitMore();
    else this.fail(overBudget(this.#lease, "unread"));
  }

  #awaitMore(): void {
    this.#listener ??= () => this.#read();
    this.#arrival.stream.once("readable", this.#listener);
  }

  #stopReading(): void {
    if (this.#listener !== undefined) this.#arrival.stream.off("readable", this.#listener);
  }

  #awaitEnd(): void {
    const { stream } = this.#arrival;
    stream.once("aborted", () => this.#aborted());
    stream.once("end", () => this.#ended());
  }

  #ended(): void {
    this.#hasEnded = true;
    this.#read();
  }

  /**
   * The stream was reset. Ends the call if it has not been answered, and overwrites what arrived. After a RST_STREAM with
   * NO_ERROR, node:http2 emits "end" as for a complete request, and closes the stream only when everything was read.
   * Without this method, a cancelled Put would be applied, and a call that waits would hold its budget until the
   * connection ends.
   */
  #aborted(): void {
    if (this.#state === "answering" || this.#state === "streaming") return;
    this.#state = "over";
    this.#request.read();
    this.#request.wipe();
  }

  /** Counts the request as unread. False if the caller has the most unread requests that it may have. */
  #holdUnread(): boolean {
    if (this.#lease.holds("unread")) return true;
    const fits = this.#lease.fits("unread", 1);
    if (fits) this.#lease.hold("unread", 1);
    return fits;
  }

  #reject(status: CallStatus, error?: CofferError): void {
    const { stream } = this.#arrival;
    this.#stopReading();
    const isAbandoned = this.isOver && this.#state !== "answering" && this.#state !== "streaming";
    if (isAbandoned) this.#state = "over";
    else this.#end(error === undefined ? status.code : codeOf(error.reason), error);
    this.#request.wipe();
    this.#messages?.end(status);
    if (this.#messages !== undefined) return;
    answerStatus(stream, status, this.#environment.early);
    this.#lease.discard();
  }

  #end(code: Code, error: CofferError | undefined): void {
    this.#state = "over";
    this.#cancelDeadline?.();
    const { route, caller, since, openCalls } = this.#arrival;
    const { timers, onHandled } = this.#environment;
    openCalls.leave(this);
    this.#messages?.over();
    const until = this.#streamingSince ?? timers.elapsed();
    onHandled({ method: route.method, code, seconds: (until - since) / 1000, caller, error });
  }
}

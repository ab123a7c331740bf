import type { ServerHttp2Stream } from "node:http2";
import { type CallStatus, beginMessages } from "./answer-stream.ts";
import type { Lease } from "./budget.ts";

// While more bytes than these wait in the stream, no further message is sent. Bytes wait there until HTTP/2 takes them, and
// it takes none while the caller does not read.
const MOST_UNSENT = 16 * 1024;

const NOT_ENDED: CallStatus = { code: 0, details: "", metadata: undefined };

/** Receives the events of a call that answers with a stream. */
export interface MessageListener {
  /** More can be sent, after {@link MessageStream.fits} has returned false. */
  readonly onSpace: () => void;
  /** The call is over. Called once. */
  readonly onOver: () => void;
}

/**
 * The messages of a call that answers with a stream. What the caller has not read counts against its budget. Each message
 * is overwritten once it is sent.
 */
export class MessageStream {
  readonly #stream: ServerHttp2Stream;
  readonly #lease: Lease;
  readonly #listener: MessageListener;
  #status = NOT_ENDED;
  #unsent = 0;
  /**
   * - ready: messages can be sent.
   * - full: the caller has to read.
   * - queued: the caller's budget has no space.
   * - over: the call is over.
   */
  #state: "ready" | "full" | "queued" | "over" = "ready";

  constructor(stream: ServerHttp2Stream, lease: Lease, listener: MessageListener) {
    this.#stream = stream;
    this.#lease = lease;
    this.#listener = listener;
    beginMessages(stream, () => this.#status);
  }

  /**
   * Whether a message of this length may be sent. If not, the listener is called when the caller has read enough of the
   * earlier ones.
   */
  fits(bytes: number): boolean {
    if (this.#state !== "ready") return false;
    if (this.#unsent > MOST_UNSENT) this.#state = "full";
    else if (!this.#lease.fits("bytes", bytes)) this.#queue(bytes);
    return this.#state === "ready";
  }

  /** Takes space in the caller's budget. False if there is none. */
  hold(bytes: number): boolean {
    const fits = this.#lease.fits("bytes", bytes);
    if (fits) this.#lease.hold("bytes", bytes);
    return fits;
  }

  /** Returns space in the caller's budget. */
  drop(bytes: number): void {
    this.#lease.drop(bytes);
  }

  /** Sends a framed message, and overwrites its bytes. */
  write(framed: Buffer): void {
    const { length } = framed;
    if (this.#state === "over" || this.#stream.destroyed || this.#stream.closed) {
      framed.fill(0);
      return;
    }
    this.#unsent += length;
    this.#lease.hold("bytes", length);
    // Called after the session has passed the message to its socket, and also if the stream fails before.
    this.#stream.write(framed, () => {
      framed.fill(0);
      this.#unsent -= length;
      this.#lease.drop(length);
      if (this.#state === "full" && this.#unsent <= MOST_UNSENT) this.#resume();
    });
  }

  /** Ends the stream with a status, after what was written. */
  end(status: CallStatus): void {
    this.#status = status;
    this.#stream.end();
  }

  /** The call is over. Nothing more is sent. */
  over(): void {
    if (this.#state === "over") return;
    this.#state = "over";
    this.#listener.onOver();
  }

  #queue(bytes: number): void {
    this.#state = "queued";
    this.#lease.whenFits(bytes, () => {
      if (this.#state === "queued") this.#resume();
    });
  }

  #resume(): void {
    this.#state = "ready";
    this.#listener.onSpace();
  }
}

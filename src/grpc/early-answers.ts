import { type ServerHttp2Stream, constants } from "node:http2";
import type { Timers } from "../domain/timers.ts";
import { Overdue, TimedItem } from "./overdue.ts";

/** How long the server waits for the end of a request that it has answered, in milliseconds. */
const REST_MS = 1000;

/**
 * How many bytes of such a request it discards: more than a peer can have sent when it is answered, which is one HTTP/2
 * window (64 KiB) and what the stream has buffered.
 */
const MAX_REST_BYTES = 128 * 1024;

/**
 * How many such requests may be open. They need no budget, so this bounds what a flood of refused calls holds: the oldest
 * one is reset for a newer one.
 */
const MAX_RESTS = 1024;

/** The rest of a request that was answered before its end. */
class Rest extends TimedItem {
  readonly stream: ServerHttp2Stream;
  #left = MAX_REST_BYTES;

  constructor(stream: ServerHttp2Stream) {
    super();
    this.stream = stream;
  }

  /** Overwrites a piece of it. Returns whether the server may read on. */
  discard(bytes: Buffer): boolean {
    bytes.fill(0);
    this.#left -= bytes.length;
    return this.#left >= 0;
  }
}

/**
 * Requests that were answered before their end. A server may ask its peer by RST_STREAM with NO_ERROR not to send the
 * rest (RFC 9113 8.1). But nghttp2 drops an answer that it has not sent when the stream is reset, and node:http2 does
 * not report when it has sent one: a plain server that reset each stream directly after its answer lost 332 of 3,000
 * answers with Node 20.20.2, and all of them with 22.23.3 and 26.10.0. The call would end with an internal error
 * instead of a denial. The rest of most requests is on the way. Therefore the server discards what still arrives, and
 * resets the stream only if the end of the request is late, or if the rest is long.
 */
export class EarlyAnswers {
  readonly #timers: Pick<Timers, "elapsed" | "delay" | "afterTurn">;
  readonly #open: Overdue<Rest>;

  constructor(timers: Pick<Timers, "elapsed" | "delay" | "afterTurn">) {
    this.#timers = timers;
    this.#open = new Overdue(timers, REST_MS, (rest) => this.#reset(rest));
  }

  /**
   * Sends a stream's answer by `respond`, which ends its writable side; does nothing if the stream has one. Reads the rest
   * of the request and overwrites it: it may contain secret values, and node:http2 keeps a stream until everything that
   * arrived has been read.
   */
  answer(stream: ServerHttp2Stream, respond: () => void): void {
    if (stream.destroyed || stream.closed || stream.headersSent) return;
    const isComplete = stream.state.remoteClose === 1;
    respond();
    const rest = new Rest(stream);
    stream.on("data", (bytes: Buffer) => {
      if (!rest.discard(bytes)) this.#reset(rest);
    });
    stream.resume();
    if (!isComplete) this.#await(rest);
  }

  /** Cancels the timer. */
  close(): void {
    this.#open.close();
  }

  #await(rest: Rest): void {
    rest.stream.once("close", () => this.#open.end(rest));
    this.#open.begin(rest);
    if (this.#open.size > MAX_RESTS) this.#open.expireOldest();
  }

  /** Resets after this turn, because the answer is sent at the end of the turn, unless the peer does not read. */
  #reset({ stream }: Rest): void {
    this.#timers.afterTurn(() => stream.close(constants.NGHTTP2_NO_ERROR));
  }
}

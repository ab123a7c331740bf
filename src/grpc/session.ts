import {
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  performServerHandshake,
} from "node:http2";
import { nextTick } from "node:process";
import { type CofferError, shuttingDown, svidExpired } from "../domain/errors.ts";
import type { Timers } from "../domain/timers.ts";
import type { Budget } from "./budget.ts";
import type { Connection } from "../admission/connection.ts";
import { type Lifetime, endInTime, lifetimeOf } from "./lifetime.ts";
import { OpenCalls } from "./open-calls.ts";
import { boundPieces } from "./pieces.ts";
import { SessionSocket } from "./session-socket.ts";
import { wipeUnread } from "./unread-chunks.ts";

/** What a {@link Session} needs. */
export interface SessionOptions {
  readonly connection: Connection;
  /** The budget of the peer's SPIFFE ID. */
  readonly budget: Budget;
  readonly timers: Timers;
  /** Returns a new number in [0, 1) at each call. */
  readonly random: () => number;
  /** Called with each stream that the peer opens, its headers, and whether the peer has ended its request already. */
  readonly onStream: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, isComplete: boolean) => void;
}

// The maximum number of open streams, and the maximum size of a header list in bytes (RFC 9113 6.5.2). gRPC libraries
// accept 8 KiB of headers by default. With HPACK, a peer can repeat a long header with one byte, so a header list can
// take far more memory than the bytes received.
const SETTINGS = { maxConcurrentStreams: 256, maxHeaderListSize: 8192 };

// In megabytes. Node rejects new streams of a session that uses more memory than its limit. Coffer bounds memory by the
// budgets of callers instead.
const NO_SESSION_LIMIT = Number.MAX_SAFE_INTEGER;

// Milliseconds. A peer that disappeared without closing its connection is detected after 80 seconds.
const KEEPALIVE_MS = 60_000;
const KEEPALIVE_TIMEOUT_MS = 20_000;

// The time for a socket to send its last bytes, including close_notify, after its session has ended, in milliseconds.
const LINGER_MS = 5000;

// The time to send the status of the calls that stay open when the connection is closed with a reason, in milliseconds.
const LAST_STATUS_MS = 500;

/**
 * The HTTP/2 session of a connection: its settings, its keepalive, and its end. A session and its socket end together:
 * when one of them ends, so does the other.
 */
export class Session {
  readonly connection: Connection;
  readonly budget: Budget;
  /** The calls that stay open until the session ends them. */
  readonly openCalls = new OpenCalls();
  readonly #socket: SessionSocket;
  readonly #http2: ServerHttp2Session;
  readonly #timers: Timers;
  #state: "open" | "leaving" | "closed" = "open";
  #streams = 0;
  #cancelKeepalive = () => {};

  constructor({ connection, budget, timers, random, onStream }: SessionOptions) {
    this.connection = connection;
    this.budget = budget;
    this.#timers = timers;
    this.#socket = new SessionSocket(connection.socket);
    this.#http2 = performServerHandshake(this.#socket.stream, {
      settings: SETTINGS,
      maxSessionMemory: NO_SESSION_LIMIT,
    });
    destroyLater(this.#http2);
    // An error of the peer ends its session. Without a listener it would end the process.
    this.#http2.on("error", () => {});
    this.#http2.on("stream", (stream, headers) => {
      // Every stream needs this listener from the start, even if its call is refused. Without the listener, an error of
      // the stream ends the process. A stream can fail before its headers are delivered, if a frame that arrived with
      // them ends the session.
      stream.on("error", ignore);
      const isComplete = stream.state.remoteClose === 1;
      boundPieces(stream, isComplete);
      // The peer may have reset the stream in the bytes that contained its headers. respond() would throw, and the
      // error would end the process: grpc-js answers an unknown method without a check.
      if (stream.closed) wipeUnread(stream);
      else onStream(stream, headers, isComplete);
    });
    connection.endBy((reason) => this.#end(reason));
    this.#startTimers(lifetimeOf(connection.validUntil, timers.clock(), random()));
  }

  /** Whether the peer has no stream open. */
  get isIdle(): boolean {
    return this.#streams === 0;
  }

  /** Counts a stream as open. `closed` is called when it is closed. */
  opened(stream: ServerHttp2Stream, closed: () => void): void {
    this.#streams += 1;
    stream.on("close", () => {
      this.#streams -= 1;
      closed();
    });
  }

  /**
   * Asks the peer to make its next calls on another connection, without losing a call (RFC 9113 6.8). The first GOAWAY
   * refuses no stream. The peer has received it when it answers the PING that follows. A second PING waits for the
   * streams that the peer had begun by then: nghttp2, which Envoy and Node use, sends the answer to a PING ahead of
   * them. The final GOAWAY names the last stream, and the session ends with the last call. Calls that stay open end before
   * the final GOAWAY, unless `keepsOpenCalls` is true.
   */
  goAway(keepsOpenCalls = false): void {
    if (!keepsOpenCalls && this.#state === "leaving") this.openCalls.end(shuttingDown());
    if (this.#state !== "open" || this.#http2.destroyed) return;
    this.#state = "leaving";
    const endOpenCalls = () => keepsOpenCalls || this.openCalls.end(shuttingDown());
    // Node's client, which grpc-js uses, answers with its own GOAWAY. After that, the PINGs of this session get no answer.
    this.#http2.once("goaway", endOpenCalls);
    this.#onceBegun(() => {
      this.#socket.announceShutdown();
      this.#ping(() =>
        this.#ping(() => {
          endOpenCalls();
          this.#http2.close();
        }),
      );
    });
  }

  /** Runs `task` after the peer has acknowledged the SETTINGS with which a session must begin (RFC 9113 3.4). */
  #onceBegun(task: () => void): void {
    if (this.#http2.connecting || this.#http2.pendingSettingsAck) this.#http2.once("localSettings", task);
    else task();
  }

  /** Ends the session because the peer's SVID has expired: pending answers are sent, then the socket is closed. */
  expire(): void {
    if (this.#http2.closed || this.#http2.destroyed) return;
    // goAway() must not send anything after this: a later GOAWAY must not name a higher stream (RFC 9113 6.8).
    this.#state = "leaving";
    this.#http2.close();
    this.#closeIn(LINGER_MS);
  }

  /** Ends the session and its socket immediately. Open calls fail. */
  close(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    const { socket } = this.connection;
    // After the session, Node ends the socket with close_notify. A peer that does not read would keep the socket open
    // forever.
    socket.once(
      "close",
      this.#timers.delay(LINGER_MS, () => socket.destroy()),
    );
    this.#http2.destroy();
  }

  /** Ends the session. Calls that stay open fail with the reason; the session stays open a moment longer to send it. */
  #end(reason: CofferError | undefined): void {
    if (reason === undefined || this.openCalls.count === 0 || this.#http2.destroyed) {
      this.close();
      return;
    }
    this.#state = "leaving";
    this.openCalls.end(reason);
    if (!this.#http2.closed) this.#http2.close();
    this.#closeIn(LAST_STATUS_MS);
  }

  #closeIn(ms: number): void {
    this.connection.socket.once(
      "close",
      this.#timers.delay(ms, () => this.close()),
    );
  }

  #startTimers(lifetime: Lifetime): void {
    // The calls that stay open end with the SVID, if it expires before the connection would be closed for its age.
    const endsWithSvid = lifetime.closeAt === this.connection.validUntil;
    // Not by the clock: a timer of Node can fire a millisecond before its time.
    const reason = endsWithSvid ? svidExpired() : shuttingDown();
    const ending = { goAway: () => this.goAway(endsWithSvid), close: () => this.#end(reason) };
    const cancelEnding = endInTime(lifetime, ending, this.#timers);
    this.#keepAlive();
    this.connection.socket.once("close", () => {
      cancelEnding();
      this.#cancelKeepalive();
    });
  }

  /**
   * Checks the peer at regular intervals. It also detects what no event reports: Node 20 stops reading after some
   * protocol errors but keeps the socket open, and after a jump of the clock (a resumed machine) timers fire too late.
   */
  #keepAlive(): void {
    this.#cancelKeepalive = this.#timers.delay(KEEPALIVE_MS, () => {
      const isOver = this.#http2.destroyed || this.#timers.clock() > this.connection.validUntil;
      if (isOver) this.close();
      else this.#probe();
    });
  }

  #probe(): void {
    this.#cancelKeepalive = this.#timers.delay(KEEPALIVE_TIMEOUT_MS, () => this.close());
    this.#ping(() => {
      this.#cancelKeepalive();
      this.#keepAlive();
    });
  }

  /** Sends a PING, and calls `answered` if the peer answers it. */
  #ping(answered: () => void): void {
    if (this.#http2.destroyed) return;
    this.#http2.ping((error) => {
      if (error === null) answered();
    });
  }
}

function ignore(): void {}

/**
 * Defers the destruction of a session until it has read the bytes that have arrived. Node destroys a session while it
 * reads certain frames (a GOAWAY with an error code, an answer to a PING that was not sent), and creates no streams
 * from then on. DATA of a stream that begins later in the same bytes then fails an assertion, which ends the process
 * (Node 22.23.3, also in plain node:http2).
 */
function destroyLater(session: ServerHttp2Session): void {
  const destroy = session.destroy.bind(session);
  session.destroy = (...reason) => nextTick(destroy, ...reason);
}

import {
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  performServerHandshake,
} from "node:http2";
import { nextTick } from "node:process";
import type { Timers } from "../domain/timers.ts";
import type { Budget } from "./budget.ts";
import type { Connection } from "../admission/connection.ts";
import { endInTime, lifetimeOf } from "./lifetime.ts";
import { boundPieces } from "./pieces.ts";
import { SessionSocket } from "./session-socket.ts";

/** What a session needs. */
export interface SessionOptions {
  readonly connection: Connection;
  /** What the peer's SPIFFE ID may hold. */
  readonly budget: Budget;
  readonly timers: Timers;
  /** A number in [0, 1), each time another one. */
  readonly random: () => number;
  /** Takes each stream that the peer opens, with its headers. */
  readonly onStream: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void;
}

// Open streams, and bytes of one header list (RFC 9113 6.5.2). gRPC's own stacks take 8 KiB of headers by default. HPACK
// lets a peer name a long header again with one byte, so that a header list costs far more memory than bytes received.
const SETTINGS = { maxConcurrentStreams: 256, maxHeaderListSize: 8192 };

// In megabytes; Node rejects streams and calls when it is reached. The budgets of callers bound memory instead.
const NO_SESSION_LIMIT = Number.MAX_SAFE_INTEGER;

// Milliseconds. A peer that vanished without a word is noticed after a minute and a third.
const KEEPALIVE_MS = 60_000;
const KEEPALIVE_TIMEOUT_MS = 20_000;

// Milliseconds that a socket gets to send its last bytes, close_notify among them, once its session is over.
const LINGER_MS = 5000;

/**
 * The HTTP/2 session of a connection: what it admits, how it is kept alive, and how it ends. A session and its socket end
 * together, whichever of them ends first.
 */
export class Session {
  readonly connection: Connection;
  readonly budget: Budget;
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
    // What a peer does wrong ends its session. Without a listener it would end the process.
    this.#http2.on("error", () => {});
    this.#http2.on("stream", (stream, headers) => {
      // A stream may have failed before its headers are delivered: a frame that arrived with them ends the session. Every
      // stream needs the listener from here on, whatever becomes of its call. Without one the error ends the process.
      stream.on("error", () => {});
      boundPieces(stream);
      onStream(stream, headers);
    });
    connection.endBy(() => this.close());
    this.#live(lifetimeOf(connection.validUntil, timers.clock(), random()));
  }

  /** Whether the peer has no stream open. */
  get isIdle(): boolean {
    return this.#streams === 0;
  }

  /** A stream was taken; `closed` is called at its end. */
  opened(stream: ServerHttp2Stream, closed: () => void): void {
    this.#streams += 1;
    stream.once("close", () => {
      this.#streams -= 1;
      closed();
    });
  }

  /**
   * Asks the peer to make its next calls on another connection, without losing one (RFC 9113 6.8). The first GOAWAY
   * refuses no stream. The peer has seen it when it answers the PING behind it. A second PING waits for the streams that
   * it had begun by then: nghttp2, which Envoy and Node use, sends the answer to a PING ahead of them. The final GOAWAY
   * names the last stream, and the session ends with the last call.
   */
  goAway(): void {
    if (this.#state !== "open" || this.#http2.destroyed) return;
    this.#state = "leaving";
    this.#onceBegun(() => {
      this.#socket.announceShutdown();
      this.#ping(() => this.#ping(() => this.#http2.close()));
    });
  }

  /** A session begins with SETTINGS, which nothing may overtake (RFC 9113 3.4). The peer acknowledges them. */
  #onceBegun(task: () => void): void {
    if (this.#http2.connecting || this.#http2.pendingSettingsAck) this.#http2.once("localSettings", task);
    else task();
  }

  /** Ends the session of an SVID that has expired: answers under way are sent, and then the socket is closed. */
  expire(): void {
    if (this.#http2.closed || this.#http2.destroyed) return;
    // So that goAway() sends nothing more: a later GOAWAY must not name a higher stream (RFC 9113 6.8).
    this.#state = "leaving";
    this.#http2.close();
    this.connection.socket.once(
      "close",
      this.#timers.delay(LINGER_MS, () => this.close()),
    );
  }

  /** Ends the session and its socket at once: open calls fail. */
  close(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    const { socket } = this.connection;
    // Node ends the socket with close_notify when the session is over. A peer that does not read would keep it for ever.
    socket.once(
      "close",
      this.#timers.delay(LINGER_MS, () => socket.destroy()),
    );
    this.#http2.destroy();
  }

  #live(lifetime: ReturnType<typeof lifetimeOf>): void {
    const ending = { goAway: () => this.goAway(), close: () => this.close() };
    const cancelEnding = endInTime(lifetime, ending, this.#timers);
    this.#keepAlive();
    this.connection.socket.once("close", () => {
      cancelEnding();
      this.#cancelKeepalive();
    });
  }

  /**
   * Looks after the peer again and again. It also finds what nothing reports: Node 20 stops reading after some protocol
   * errors and keeps the socket, and a clock that jumped (a resumed machine) leaves timers behind.
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

  /** `answered` is called when the peer has answered; never, if it does not. */
  #ping(answered: () => void): void {
    if (this.#http2.destroyed) return;
    this.#http2.ping((error) => {
      if (error === null) answered();
    });
  }
}

/**
 * Has a session be destroyed when it has read what has arrived, not while it reads. Node destroys one for a frame that it
 * reads (a GOAWAY with an error code, an answer to a PING that was not sent), and from then on makes no streams. DATA of
 * such a stream in the same bytes is a failed assertion, which ends the process (Node 22.23.3, in plain node:http2 too).
 */
function destroyLater(session: ServerHttp2Session): void {
  const destroy = session.destroy.bind(session);
  session.destroy = (...reason) => nextTick(destroy, ...reason);
}

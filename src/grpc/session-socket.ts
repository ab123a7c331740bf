import { EventEmitter } from "node:events";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";

// A GOAWAY (RFC 9113 6.8) on stream 0: 8 bytes of payload, type 7; the last stream ID is the highest there is, and the
// code NO_ERROR.
const SHUTDOWN_NOTICE = Buffer.from("0000080700000000007fffffff00000000", "hex");

// Bytes that may wait for a peer that does not read before nothing more is read from it.
const MOST_UNSENT = 1024 * 1024;

/**
 * A TLS socket as node:http2 reads and writes it, with one thing more: it can put a frame of the server's between those of the session.
 *
 * The notice that announces a graceful shutdown can't be sent by `session.goaway()`: nghttp2 ignores every stream that
 * begins after it has sent a GOAWAY, and the call that it has for this, nghttp2_submit_shutdown_notice, is not in Node's
 * API. Each write of the session is of whole frames, so a frame can go between two of them.
 *
 * It is the least of a stream that node:http2 wraps (JSStreamSocket): a Duplex between them doubled the CPU of a call.
 */
export class SessionSocket extends EventEmitter {
  readonly #socket: TLSSocket;
  readonly readableObjectMode = false;

  constructor(socket: TLSSocket) {
    super();
    this.#socket = socket;
    socket.on("data", (bytes: Buffer) => this.#receive(bytes));
    // The peer's end is told by the close that follows it, and not before: node:http2 would shut its side down, and a write
    // of a call that is still answered would then fail an assertion of Node's.
    socket.once("close", () => this.emit("close"));
  }

  /** Itself, as what node:http2 takes. */
  get stream(): Duplex {
    return this as unknown as Duplex;
  }

  /** Tells the peer that the connection will end; it still may open streams, and none is refused. */
  announceShutdown(): void {
    this.#socket.write(SHUTDOWN_NOTICE);
  }

  get readable(): boolean {
    return !this.#socket.destroyed;
  }

  get writable(): boolean {
    return !this.#socket.destroyed;
  }

  /** node:http2 pauses for each write that is under way. Only a peer that does not read is a reason to. */
  pause(): void {
    if (this.#socket.writableLength > MOST_UNSENT) this.#socket.pause();
  }

  resume(): void {
    if (this.#socket.isPaused()) this.#socket.resume();
  }

  cork(): void {
    this.#socket.cork();
  }

  uncork(): void {
    this.#socket.uncork();
  }

  /** node:http2 made a copy for this, which holds values in clear: it is overwritten once it is encrypted. */
  write(bytes: Buffer, written: (error?: Error | null) => void): boolean {
    return this.#socket.write(bytes, (error) => {
      bytes.fill(0);
      written(error);
    });
  }

  end(ended: () => void): void {
    this.#socket.end(ended);
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** The session takes a copy at once. What it was taken from holds values in clear. */
  #receive(bytes: Buffer): void {
    this.emit("data", bytes);
    bytes.fill(0);
  }
}

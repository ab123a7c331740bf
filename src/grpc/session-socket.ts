import { EventEmitter } from "node:events";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";

// A GOAWAY (RFC 9113 6.8) on stream 0: 8 bytes of payload, type 7, the highest possible last stream ID, code NO_ERROR.
const SHUTDOWN_NOTICE = Buffer.from("0000080700000000007fffffff00000000", "hex");

// The maximum number of bytes that wait for a peer that does not read. Above it, the server stops reading from the
// peer.
const MOST_UNSENT = 1024 * 1024;

/**
 * A TLS socket as node:http2 reads and writes it, which can also insert a frame between those of the session.
 *
 * `session.goaway()` can't send the notice that announces a graceful shutdown: nghttp2 ignores every stream that begins
 * after it has sent a GOAWAY. nghttp2 has a function for this notice, nghttp2_submit_shutdown_notice, but Node's API
 * does not expose it. The session writes only whole frames, so another frame can be written between two of its writes.
 *
 * The class has only those members of a stream that node:http2 uses when it wraps one (JSStreamSocket). A Duplex in
 * this place doubled the CPU time of a call.
 */
export class SessionSocket extends EventEmitter {
  readonly #socket: TLSSocket;
  readonly readableObjectMode = false;

  constructor(socket: TLSSocket) {
    super();
    this.#socket = socket;
    socket.on("data", (bytes: Buffer) => this.#receive(bytes));
    // This class emits no "end" event, only the "close" that follows it. On "end", node:http2 would shut down its side,
    // and the write of an answer in progress would then fail an assertion in Node.
    socket.once("close", () => this.emit("close"));
  }

  /** This object, with the type that node:http2 expects. */
  get stream(): Duplex {
    return this as unknown as Duplex;
  }

  /** Announces to the peer that the connection will end. The peer may still open streams, and none is refused. */
  announceShutdown(): void {
    this.#socket.write(SHUTDOWN_NOTICE);
  }

  get readable(): boolean {
    return !this.#socket.destroyed;
  }

  get writable(): boolean {
    return !this.#socket.destroyed;
  }

  /** node:http2 calls this at each write. Reading pauses only if more than MOST_UNSENT bytes wait for the peer. */
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

  /** Overwrites the bytes after TLS has encrypted them: they are a copy by node:http2 and contain secret values. */
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

  /** Overwrites the bytes after the session has copied them: they contain secret values. */
  #receive(bytes: Buffer): void {
    this.emit("data", bytes);
    bytes.fill(0);
  }
}

import { EventEmitter } from "node:events";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";

// A GOAWAY (RFC 9113 6.8) on stream 0: 8 bytes of payload, type 7, the highest possible last stream ID, code NO_ERROR.
const SHUTDOWN_NOTICE = Buffer.from("0000080700000000007fffffff00000000", "hex");

// The maximum number of bytes that wait for a peer that does not read. Above it, the server stops reading from the
// peer.
const MOST_UNSENT = 1024 * 1024;

type Written = (error?: Error | null) => void;

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
  /** What the session has written since {@link cork}. */
  #pieces: Buffer[] = [];
  /** The session's callback, which is the same for all pieces. */
  #written: Written | undefined;
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

  /** The session writes the pieces of its frames between {@link cork} and {@link uncork}. */
  cork(): void {}

  write(bytes: Buffer, written: Written): boolean {
    this.#pieces.push(bytes);
    this.#written = written;
    return true;
  }

  /**
   * Writes all pieces as one buffer: TLS encrypts it without another copy, and a write of the socket costs more than the
   * session's part of a call. Overwrites the pieces at once, and the buffer after TLS has encrypted it: both are copies
   * that contain secret values.
   */
  uncork(): void {
    const pieces = this.#pieces;
    const written = this.#written;
    if (written === undefined) return;
    this.#pieces = [];
    this.#written = undefined;
    const bytes = joined(pieces);
    this.#socket.write(bytes, (error) => {
      bytes.fill(0);
      if (error) written(error);
      // node:http2 counts one call for each piece.
      else for (let left = pieces.length; left > 0; left--) written();
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

/** The pieces in one buffer of their own. Overwrites them. */
function joined(pieces: readonly Buffer[]): Buffer {
  const bytes = Buffer.allocUnsafeSlow(pieces.reduce((sum, { length }) => sum + length, 0));
  let end = 0;
  for (const piece of pieces) {
    bytes.set(piece, end);
    piece.fill(0);
    end += piece.length;
  }
  return bytes;
}

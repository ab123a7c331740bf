import { TLSSocket } from "node:tls";

/**
 * The server's end of a TLS connection. Destroying it, which is how this server, grpc-js and node:http2 all close one, first
 * sends close_notify (RFC 8446 6.1), so that the peer can tell the end of the connection from an attacker's cut. Nothing is
 * waited for: neither a peer that does not read nor a write that is under way keeps the descriptor open.
 */
export class ServerTlsSocket extends TLSSocket {
  #isSecure = false;

  /** The handshake is complete. Before that there are only alerts of OpenSSL's own, which it has sent by itself. */
  secured(): void {
    this.#isSecure = true;
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    // What `end()` would do: SSL_shutdown, and then FIN. The kernel takes the alert at once, unless its buffer is full.
    if (this.#isSecure && !this.writableFinished) this._final(() => {});
    super._destroy(error, callback);
  }
}

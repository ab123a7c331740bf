import type { Socket } from "node:net";
import { TLSSocket, type TLSSocketOptions } from "node:tls";
import type { Problem } from "../spiffe/certificate-rules.ts";
import type { CertificateFilter } from "./certificate-filter.ts";

/**
 * The server's side of a TLS connection. This server, grpc-js and node:http2 all close a connection by destroying its
 * socket. This class first sends close_notify (RFC 8446 6.1), so that the peer can distinguish the end of the
 * connection from a truncation by an attacker. It does not wait until the alert is sent: neither a peer that does not
 * read nor a pending write keeps the descriptor open.
 */
export class ServerTlsSocket extends TLSSocket {
  readonly #filter: CertificateFilter;
  #isSecure = false;
  #problem: Problem | undefined;

  constructor(raw: Socket, options: TLSSocketOptions, filter: CertificateFilter) {
    super(raw, options);
    this.#filter = filter;
  }

  /** Why the filter refused the client's certificates; undefined if the handshake did not fail for this reason. */
  get problem(): Problem | undefined {
    return this.#problem;
  }

  /** The handshake is complete. Before that, OpenSSL sends its own alerts, and close_notify is not sent. */
  secured(): void {
    this.#isSecure = true;
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    // node:tls destroys the socket in the same step in which OpenSSL refuses a message.
    if (!this.#isSecure) this.#problem = this.#filter.takeProblem();
    // Like `end()`: SSL_shutdown, then FIN. The kernel takes the alert immediately, unless its buffer is full.
    if (this.#isSecure && !this.writableFinished) this._final(() => {});
    super._destroy(error, callback);
  }
}

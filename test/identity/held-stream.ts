import { watchHealth } from "../support/health-watch.ts";
import assert from "node:assert/strict";
import { type ClientHttp2Session, connect } from "node:http2";
import { connect as connectTls } from "node:tls";
import { splitDer } from "../../src/x509/der.ts";
import { certificatePem, pemText } from "../../src/x509/pem.ts";
import type { X509SvidMessage } from "../../src/workload-api/x509-messages.ts";

/**
 * A connection with an open stream, a health Watch. The client never closes it, neither after a rotation of its SVID
 * nor after a GOAWAY of the server.
 */
export class HeldStream {
  /** Resolves when the server sends GOAWAY. */
  readonly receivedGoAway: Promise<unknown>;
  /** Resolves when the connection is closed. */
  readonly closed: Promise<unknown>;
  readonly #session: ClientHttp2Session;

  private constructor(session: ClientHttp2Session) {
    this.#session = session;
    session.on("error", () => {});
    this.closed = new Promise((resolve) => session.once("close", resolve));
    this.receivedGoAway = new Promise((resolve) => session.once("goaway", resolve));
  }

  /** Resolves when the server has sent its status on the stream. Rejects if it closes the connection instead. */
  static async open(port: number, { x509Svid, x509SvidKey }: X509SvidMessage): Promise<HeldStream> {
    const tls = {
      cert: certificatePem(splitDer(x509Svid)),
      key: pemText("PRIVATE KEY", x509SvidKey),
      ALPNProtocols: ["h2"],
      rejectUnauthorized: false,
    };
    const createConnection = () => connectTls({ host: "127.0.0.1", port, ...tls });
    const held = new HeldStream(connect("https://localhost", { createConnection }));
    const refused = held.closed.then(() => assert.fail("the server closed the connection"));
    await Promise.race([held.#watch(), refused]);
    // Once the stream is open, a test can expect the server to close the connection, which is then no error.
    refused.catch(() => {});
    return held;
  }

  /** Resolves when the server has answered a PING, which shows that the connection is still open. */
  async ping(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#session.ping((error) => (error === null ? resolve() : reject(error)));
    });
  }

  close(): void {
    this.#session.destroy();
  }

  async #watch(): Promise<void> {
    const stream = watchHealth(this.#session);
    await new Promise((resolve) => stream.once("data", resolve));
  }
}

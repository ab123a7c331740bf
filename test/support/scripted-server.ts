import { once } from "node:events";
import { type ServerHttp2Stream, constants, createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { type Server, type TLSSocket, createServer as createTlsServer } from "node:tls";
import type { Address } from "../../src/domain/address.ts";
import type { Credential } from "../../src/pki/development-ca.ts";

/** A gRPC message of one field, `status: SERVING`, behind its five bytes of framing. */
const SERVING = Buffer.from([0, 0, 0, 0, 2, 8, 1]);

/** A call that has arrived, and waits for what the test does with it. */
export class ArrivedCall {
  /** The connection that it came on. */
  readonly socket: TLSSocket;
  readonly #stream: ServerHttp2Stream;

  constructor(stream: ServerHttp2Stream, socket: TLSSocket) {
    stream.on("error", () => {});
    // A request that nobody reads would keep its stream open.
    stream.resume();
    this.#stream = stream;
    this.socket = socket;
  }

  /** The certificate of the caller, in DER. */
  get certificate(): Buffer {
    return this.socket.getPeerX509Certificate()!.raw;
  }

  /** Answers as Health/Check does. */
  answer(): void {
    this.#stream.respond({ "content-type": "application/grpc" }, { waitForTrailers: true });
    this.#stream.once("wantTrailers", () => this.#stream.sendTrailers({ "grpc-status": "0" }));
    this.#stream.end(SERVING);
  }

  /** Says that the call has not been looked at (RFC 9113, 8.7). */
  refuse(): void {
    this.#stream.close(constants.NGHTTP2_REFUSED_STREAM);
  }

  /** Sends GOAWAY: this call is the last of its connection. Resolves when the client has read it, and said the same. */
  async goAway(): Promise<void> {
    const session = this.#stream.session!;
    session.close();
    await once(session, "goaway");
  }

  /** Breaks the connection. */
  hangUp(): void {
    this.socket.destroy();
  }
}

/** A server that speaks TLS, HTTP/2 and a word of gRPC, and does with each call what a test says. */
export class ScriptedServer {
  readonly #tls: Server;
  readonly #sockets = new Set<TLSSocket>();
  readonly #arrived: ArrivedCall[] = [];
  readonly #awaited: ((call: ArrivedCall) => void)[] = [];

  private constructor({ certPem: cert, keyPem: key }: Credential) {
    const options = { cert, key, ALPNProtocols: ["h2"], requestCert: true, rejectUnauthorized: false };
    this.#tls = createTlsServer(options, (socket) => this.#serve(socket));
  }

  static async start(credential: Credential): Promise<ScriptedServer> {
    const server = new ScriptedServer(credential);
    server.#tls.listen(0, "127.0.0.1");
    await once(server.#tls, "listening");
    return server;
  }

  get address(): Address {
    return { kind: "tcp", host: "127.0.0.1", port: (this.#tls.address() as AddressInfo).port };
  }

  /** How many calls have arrived that no test has asked for. */
  get waiting(): number {
    return this.#arrived.length;
  }

  /** Shows another SVID from the next handshake on. */
  rotate({ certPem: cert, keyPem: key }: Credential): void {
    this.#tls.setSecureContext({ cert, key });
  }

  /** The next call, in order of arrival. */
  async call(): Promise<ArrivedCall> {
    const [call] = this.#arrived.splice(0, 1);
    return call ?? new Promise((resolve) => this.#awaited.push(resolve));
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#tls.close();
    await once(this.#tls, "close");
  }

  #serve(socket: TLSSocket): void {
    this.#sockets.add(socket);
    socket.on("error", () => {});
    socket.once("close", () => this.#sockets.delete(socket));
    const http2 = createServer();
    http2.on("session", (session) => session.on("error", () => {}));
    http2.on("stream", (stream) => this.#deliver(new ArrivedCall(stream, socket)));
    http2.emit("connection", socket);
  }

  #deliver(call: ArrivedCall): void {
    const awaited = this.#awaited.shift();
    if (awaited === undefined) this.#arrived.push(call);
    else awaited(call);
  }
}

import { once } from "node:events";
import { type ServerHttp2Stream, constants, createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { type Server, type TLSSocket, createServer as createTlsServer } from "node:tls";
import type { Codec } from "../../src/contract/message.ts";
import type { Address } from "../../src/domain/address.ts";
import type { Credential } from "../../src/pki/development-ca.ts";
import { nextEvent } from "./next-event.ts";

/** The bytes before each message: a flag and the length. Source: gRPC over HTTP2, "Length-Prefixed-Message". */
const FRAMING_BYTES = 5;

/** gRPC messages with the field `status`, after their five bytes of framing. */
const HEALTH = { SERVING: Buffer.from([0, 0, 0, 0, 2, 8, 1]), NOT_SERVING: Buffer.from([0, 0, 0, 0, 2, 8, 2]) };

/** A call that has arrived and waits for the test. */
export class ArrivedCall {
  /** The connection of the call. */
  readonly socket: TLSSocket;
  readonly #stream: ServerHttp2Stream;
  readonly #pieces: Buffer[] = [];
  readonly #ended: Promise<unknown>;
  #status: Readonly<Record<string, string>> = { "grpc-status": "0" };

  constructor(stream: ServerHttp2Stream, socket: TLSSocket) {
    stream.on("error", () => {});
    // An unread request would keep its stream open.
    stream.on("data", (piece: Buffer) => this.#pieces.push(piece));
    this.#ended = new Promise((resolve) => stream.once("end", resolve));
    this.#stream = stream;
    this.socket = socket;
  }

  /** The request, when it has arrived as a whole. */
  async request<Request>(codec: Codec<Request>): Promise<Request> {
    await this.#ended;
    return codec.decode(Buffer.concat(this.#pieces).subarray(FRAMING_BYTES));
  }

  /** Responds with a message. */
  respond<Response>(codec: Codec<Response>, response: Response): void {
    this.#send(framed(codec, response));
  }

  /** Sends one message of several. */
  send<Response>(codec: Codec<Response>, response: Response): void {
    this.#begin();
    this.#stream.write(framed(codec, response));
  }

  /** Resolves when the stream has space for another message: the client has read what was sent. */
  async hasSpace(): Promise<void> {
    if (this.#stream.writableNeedDrain) await once(this.#stream, "drain");
  }

  /** Ends the messages with a status. */
  finish(status: number, message: string): void {
    this.#begin();
    this.#status = { "grpc-status": String(status), "grpc-message": message };
    this.#stream.end();
  }

  /** The certificate of the caller, in DER. */
  get certificate(): Buffer {
    return this.socket.getPeerX509Certificate()!.raw;
  }

  /** Responds as Health/Check does. */
  answer(status: keyof typeof HEALTH = "SERVING"): void {
    this.#send(HEALTH[status]);
  }

  /** Refuses the stream: the call was not processed (RFC 9113 8.7). */
  refuse(): void {
    this.#stream.close(constants.NGHTTP2_REFUSED_STREAM);
  }

  /** Sends a GOAWAY whose last stream is this call. Resolves when the client has received it and has sent its own. */
  async goAway(): Promise<void> {
    const session = this.#stream.session!;
    session.close();
    await nextEvent(session, "goaway");
  }

  /** Resolves when the stream of the call is closed, by either side. */
  async closed(): Promise<void> {
    if (!this.#stream.closed) await once(this.#stream, "close");
  }

  /** Breaks the connection. */
  hangUp(): void {
    this.socket.destroy();
  }

  #send(bytes: Buffer): void {
    this.#begin();
    this.#stream.end(bytes);
  }

  #begin(): void {
    if (this.#stream.headersSent) return;
    this.#stream.respond({ "content-type": "application/grpc" }, { waitForTrailers: true });
    this.#stream.once("wantTrailers", () => this.#stream.sendTrailers(this.#status));
  }
}

function framed<Response>(codec: Codec<Response>, response: Response): Buffer {
  const message = codec.encode(response, FRAMING_BYTES);
  message.writeUInt8(0);
  message.writeUInt32BE(message.length - FRAMING_BYTES, 1);
  return message;
}

/** A server that speaks TLS, HTTP/2 and the minimum of gRPC. A test decides what it does with each call. */
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

  /** The number of calls that have arrived and that no test has taken. */
  get waiting(): number {
    return this.#arrived.length;
  }

  /** Uses another SVID from the next handshake on. */
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

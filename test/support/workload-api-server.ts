import { linkSync, renameSync, rmSync } from "node:fs";
import { type AddressInfo, createServer, type Server as NetServer, type Socket } from "node:net";
import {
  type ConnectionInjector,
  type MetadataValue,
  Server,
  ServerCredentials,
  type ServerWritableStream,
  type ServiceDefinition,
  status,
} from "@grpc/grpc-js";
import { FETCH_X509_SVID, type X509SvidResponse, x509SvidResponse } from "../../src/workload-api/x509-messages.ts";

/** One request, as received. */
export interface Call {
  readonly method: string;
  /** The values of the security header `workload.spiffe.io`. */
  readonly header: readonly MetadataValue[];
}

type Answer =
  | { readonly kind: "message"; readonly bytes: Buffer }
  | { readonly kind: "status"; readonly code: status; readonly details: string };

type Where = { readonly path: string } | { readonly host: string; readonly port: number };

type Stream = ServerWritableStream<Buffer, Buffer>;

const SERVICE: ServiceDefinition = {
  FetchX509SVID: {
    path: FETCH_X509_SVID,
    requestStream: false,
    responseStream: true,
    requestSerialize: (bytes: Buffer) => bytes,
    requestDeserialize: (bytes: Buffer) => bytes,
    responseSerialize: (bytes: Buffer) => bytes,
    responseDeserialize: (bytes: Buffer) => bytes,
  },
};

const NO_IDENTITY = { code: status.PERMISSION_DENIED, details: "no identity issued" };
const NO_HEADER = { code: status.INVALID_ARGUMENT, details: "security header missing from request" };

/**
 * A Workload API that behaves like the one of SPIRE's agent: it checks the header, sends the first message immediately,
 * sends every change as a complete new message to every stream, and ends no stream by itself. At a test's request it
 * also does what the agent can't be made to do on demand.
 */
export class WorkloadApiServer {
  readonly calls: Call[] = [];
  readonly #where: Where;
  readonly #injector: ConnectionInjector;
  readonly #grpc = new Server({ "grpc.max_send_message_length": -1 });
  readonly #sockets = new Set<Socket>();
  readonly #streams = new Set<Stream>();
  #listener: NetServer;
  #answer: Answer = { kind: "status", ...NO_IDENTITY };

  private constructor(where: Where) {
    this.#where = where;
    this.#grpc.addService(SERVICE, { FetchX509SVID: (stream: Stream) => this.#serve(stream) });
    this.#injector = this.#grpc.createConnectionInjector(ServerCredentials.createInsecure());
    this.#listener = this.#listen();
  }

  /** Serves at the path of a socket, or on 127.0.0.1. At first no caller has an identity. */
  static async start(path?: string): Promise<WorkloadApiServer> {
    const server = new WorkloadApiServer(path === undefined ? { host: "127.0.0.1", port: 0 } : { path });
    await server.#listening();
    return server;
  }

  /** Its address, in the form of SPIFFE_ENDPOINT_SOCKET. */
  get endpoint(): string {
    if ("path" in this.#where) return `unix://${this.#where.path}`;
    return `tcp://127.0.0.1:${(this.#listener.address() as AddressInfo).port}`;
  }

  /** The number of open streams. */
  get streams(): number {
    return this.#streams.size;
  }

  /** Sends a message on every open stream. Each new stream begins with this message. */
  send(response: X509SvidResponse): void {
    this.sendBytes(x509SvidResponse.encode(response));
  }

  /** Like {@link send}, for bytes that may not be a valid message. */
  sendBytes(bytes: Buffer): void {
    this.#setAnswer({ kind: "message", bytes });
  }

  /** Ends every stream with this status from now on, including open ones. */
  fail(code: status, details: string): void {
    this.#setAnswer({ kind: "status", code, details });
  }

  /** From now on, no caller has an identity. */
  deny(): void {
    this.fail(NO_IDENTITY.code, NO_IDENTITY.details);
  }

  /** Ends every open stream with this status, once. Later streams are served as before. */
  interrupt(code: status, details: string): void {
    for (const stream of this.#streams) this.#end(stream, { code, details });
  }

  /** Ends like an agent that gets SIGKILL: connections break, and the socket's file remains. */
  async kill(): Promise<void> {
    const path = "path" in this.#where ? this.#where.path : undefined;
    if (path !== undefined) linkSync(path, `${path}.left`);
    await this.stop();
    if (path !== undefined) renameSync(`${path}.left`, path);
  }

  /** Ends like an agent that gets SIGTERM: the socket's file is removed. */
  async stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#listener.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  /** Serves again after {@link kill} or {@link stop}. */
  async restart(): Promise<void> {
    if ("path" in this.#where) rmSync(this.#where.path, { force: true });
    this.#listener = this.#listen();
    await this.#listening();
  }

  /** Stops permanently. */
  async close(): Promise<void> {
    if (this.#listener.listening) await this.stop();
    this.#injector.destroy();
    this.#grpc.forceShutdown();
  }

  #listen(): NetServer {
    return createServer((socket) => {
      this.#sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => this.#sockets.delete(socket));
      this.#injector.injectConnection(socket);
    }).listen(this.#where);
  }

  #listening(): Promise<void> {
    return new Promise((resolve, reject) => this.#listener.once("listening", resolve).once("error", reject));
  }

  #serve(stream: Stream): void {
    const header = stream.metadata.get("workload.spiffe.io");
    this.calls.push({ method: stream.getPath(), header });
    if (header.length !== 1 || header[0] !== "true") this.#end(stream, NO_HEADER);
    else this.#open(stream);
  }

  #open(stream: Stream): void {
    this.#streams.add(stream);
    stream.on("cancelled", () => this.#streams.delete(stream));
    this.#sendAnswer(stream);
  }

  #setAnswer(answer: Answer): void {
    this.#answer = answer;
    for (const stream of this.#streams) this.#sendAnswer(stream);
  }

  #sendAnswer(stream: Stream): void {
    if (this.#answer.kind === "message") stream.write(this.#answer.bytes);
    else this.#end(stream, this.#answer);
  }

  #end(stream: Stream, { code, details }: { readonly code: status; readonly details: string }): void {
    this.#streams.delete(stream);
    stream.emit("error", { code, details });
  }
}

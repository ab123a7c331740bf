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

/** One request, as it came. */
export interface Call {
  readonly method: string;
  /** The values of the security header. */
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
 * A Workload API that behaves like the one of SPIRE's agent: the header is checked, the first message comes at once, each
 * change is a whole new message to every stream, and no stream ends by itself. What the agent can't be made to do on
 * demand, this one does when a test asks for it.
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

  /** Serves at the path of a socket, or on 127.0.0.1. There is no identity for anybody yet. */
  static async start(path?: string): Promise<WorkloadApiServer> {
    const server = new WorkloadApiServer(path === undefined ? { host: "127.0.0.1", port: 0 } : { path });
    await server.#listening();
    return server;
  }

  /** As SPIFFE_ENDPOINT_SOCKET names it. */
  get endpoint(): string {
    if ("path" in this.#where) return `unix://${this.#where.path}`;
    return `tcp://127.0.0.1:${(this.#listener.address() as AddressInfo).port}`;
  }

  /** How many streams are open. */
  get streams(): number {
    return this.#streams.size;
  }

  /** From now on this is the state: every stream is sent it, and each new one begins with it. */
  send(response: X509SvidResponse): void {
    this.sendBytes(x509SvidResponse.encode(response));
  }

  /** The same, for bytes that need not be a message. */
  sendBytes(bytes: Buffer): void {
    this.#give({ kind: "message", bytes });
  }

  /** From now on this ends every stream, open ones too. */
  fail(code: status, details: string): void {
    this.#give({ kind: "status", code, details });
  }

  /** There is no identity for anybody any more. */
  deny(): void {
    this.fail(NO_IDENTITY.code, NO_IDENTITY.details);
  }

  /** Ends every stream with this, once: those that are opened later are answered as before. */
  interrupt(code: status, details: string): void {
    for (const stream of this.#streams) this.#end(stream, { code, details });
  }

  /** As SIGKILL ends an agent: connections break, and the file of the socket stays behind. */
  async kill(): Promise<void> {
    const path = "path" in this.#where ? this.#where.path : undefined;
    if (path !== undefined) linkSync(path, `${path}.left`);
    await this.stop();
    if (path !== undefined) renameSync(`${path}.left`, path);
  }

  /** As SIGTERM ends an agent: the file of the socket is removed. */
  async stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#listener.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  /** Comes back after {@link kill} or {@link stop}. */
  async restart(): Promise<void> {
    if ("path" in this.#where) rmSync(this.#where.path, { force: true });
    this.#listener = this.#listen();
    await this.#listening();
  }

  /** Ends for good. */
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
    else this.#welcome(stream);
  }

  #welcome(stream: Stream): void {
    this.#streams.add(stream);
    stream.on("cancelled", () => this.#streams.delete(stream));
    this.#tell(stream);
  }

  #give(answer: Answer): void {
    this.#answer = answer;
    for (const stream of this.#streams) this.#tell(stream);
  }

  #tell(stream: Stream): void {
    if (this.#answer.kind === "message") stream.write(this.#answer.bytes);
    else this.#end(stream, this.#answer);
  }

  #end(stream: Stream, { code, details }: { readonly code: status; readonly details: string }): void {
    this.#streams.delete(stream);
    stream.emit("error", { code, details });
  }
}

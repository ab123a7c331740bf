import { Client, type ClientOptions as GrpcOptions, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { MAX_RECEIVE_BYTES } from "../contract/limits.ts";
import type { DeleteResponse, DescribeResponse, ListEntry, ListResponse, PutResponse } from "../contract/messages.ts";
import { type Clock, systemClock } from "../domain/clock.ts";
import { Content, type ContentEntry } from "../domain/content.ts";
import { type Address, formatAddress } from "../domain/address.ts";
import { ClientError } from "./client-error.ts";
import { type ConnectionFailure, describeFailure } from "./connection-failure.ts";
import {
  type Method,
  SERVING_STATUS,
  type ServingStatus,
  deleteMethod,
  describeMethod,
  getMethod,
  healthMethod,
  listMethod,
  putMethod,
} from "./methods.ts";
import { type Introduction, SvidCredentials } from "./svid-credentials.ts";

/** What a client needs to know. */
export interface ClientOptions extends Omit<Introduction, "clock"> {
  readonly address: Address;
  /** How long one call may take, in milliseconds, connecting included. */
  readonly timeoutMs: number;
  /** The time by which the server's SVID must be valid; the machine's by default. */
  readonly clock?: Clock;
}

/** The content of one version. */
export interface Secret {
  readonly path: string;
  readonly version: number;
  readonly revision: number;
  /** Milliseconds since the epoch. */
  readonly createTime: number | undefined;
  readonly content: Content;
}

const GRPC_OPTIONS: GrpcOptions = {
  // A proxy of the environment would be one more party that learns who talks to whom.
  "grpc.enable_http_proxy": 0,
  // A Put that may have been applied is repeated by whoever knows what it meant, never by the channel.
  "grpc.enable_retries": 0,
  // Otherwise a TXT record could say how calls are to be made.
  "grpc.service_config_disable_resolution": 1,
  "grpc.max_receive_message_length": MAX_RECEIVE_BYTES,
  // Milliseconds. Two minutes, the default, is long for a workload that starts before its server.
  "grpc.max_reconnect_backoff_ms": 5000,
  "grpc.enable_channelz": 0,
};

/**
 * Calls a Coffer server as the workload that the identity names, and calls no other server. Values travel as bytes.
 * Every method throws {@link ClientError}.
 */
export class CofferClient {
  readonly #client: Client;
  readonly #credentials: SvidCredentials;
  readonly #introduction: Introduction;
  readonly #address: string;
  readonly #timeoutMs: number;

  private constructor(options: ClientOptions) {
    this.#introduction = { clock: systemClock, ...options };
    this.#credentials = new SvidCredentials(this.#introduction);
    this.#client = new Client(grpcTarget(options.address), this.#credentials, GRPC_OPTIONS);
    this.#address = formatAddress(options.address);
    this.#timeoutMs = options.timeoutMs;
  }

  /** Makes a client. It connects when it is first used. */
  static connect(options: ClientOptions): CofferClient {
    return new CofferClient(options);
  }

  /** Adds a version with this content. `expectedVersion`: see Put in coffer.proto. */
  async put(path: string, content: Content, options: { readonly expectedVersion?: number } = {}): Promise<PutResponse> {
    const { expectedVersion } = options;
    const entries = content.entries();
    const data = entries.filter((entry) => entry.kind === "text");
    const binaryData = entries.filter((entry) => entry.kind === "binary");
    return this.#call(putMethod, { path, data, binaryData, expectedVersion });
  }

  /** Reads a version, the newest by default. */
  async get(path: string, version = 0): Promise<Secret> {
    const { data, binaryData, ...rest } = await this.#call(getMethod, { path, version });
    const text = data.map((entry): ContentEntry => ({ ...entry, kind: "text" }));
    const binary = binaryData.map((entry): ContentEntry => ({ ...entry, kind: "binary" }));
    return { ...rest, content: Content.trusted([...text, ...binary]) };
  }

  /** Deletes versions, the newest by default. The answer lists those that this call changed. */
  async delete(
    path: string,
    options: { readonly versions?: readonly number[]; readonly expectedVersion?: number } = {},
  ): Promise<DeleteResponse> {
    const { versions = [], expectedVersion } = options;
    return this.#call(deleteMethod, { path, versions, expectedVersion });
  }

  /** Every secret whose path begins with `prefix` and that the caller may list, in path order, page by page. */
  async *list(prefix = ""): AsyncGenerator<ListEntry, void> {
    let pageToken = "";
    do {
      const page: ListResponse = await this.#call(listMethod, { prefix, pageSize: 0, pageToken });
      yield* page.entries;
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
  }

  /** What is known of a secret except its content. */
  async describe(path: string): Promise<DescribeResponse> {
    return this.#call(describeMethod, { path });
  }

  /** Whether the server, or one of its services by full name, takes calls. Source: gRPC Health Checking Protocol. */
  async health(service = ""): Promise<ServingStatus> {
    const { status } = await this.#call(healthMethod, { service });
    return SERVING_STATUS[status] ?? "UNKNOWN";
  }

  /** Ends the connection. */
  close(): void {
    this.#client.close();
  }

  #call<Request, Response>(method: Method<Request, Response>, request: Request): Promise<Response> {
    const { path, request: encoding, response: decoding } = method;
    const deadline = Date.now() + this.#timeoutMs;
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest<Request, Response>(
        path,
        encoding.encode,
        decoding.decode,
        request,
        new Metadata(),
        { deadline },
        (error, response) => (error === null ? resolve(response!) : reject(this.#explain(error))),
      );
    });
  }

  #explain(error: ServiceError): ClientError {
    const answer = ClientError.answered(error);
    if (error.code !== status.UNAVAILABLE || answer.reason !== undefined) return answer;
    const failure = this.#failure(error.details);
    return new ClientError("UNAVAILABLE", describeFailure(failure, this.#address), { failure }, { cause: error });
  }

  #failure(problem: string): ConnectionFailure {
    const handshake = this.#credentials.handshake;
    if (handshake.kind === "failed") return handshake.failure;
    if (handshake.kind === "accepted" && handshake.socket.bytesRead === 0) {
      return { kind: "closed-at-once", as: handshake.as, by: this.#introduction.serverId };
    }
    const sent = handshake.kind === "accepted" && !problem.startsWith(NEVER_CONNECTED);
    return { kind: sent ? "broken" : "unreachable", problem: lastError(problem) };
  }
}

/** How grpc-js says that a call was never put on a connection. */
const NEVER_CONNECTED = "No connection established";

/** Of what grpc-js tells about a connection that never was, the operating system's word. */
function lastError(problem: string): string {
  return /Last error: (?:Error: )?(.*?)\.? Resolution note: .*$/.exec(problem)?.[1] ?? problem;
}

/** The address as a name for gRPC's resolvers. */
function grpcTarget(address: Address): string {
  return address.kind === "unix" ? formatAddress(address) : `dns:${formatAddress(address)}`;
}

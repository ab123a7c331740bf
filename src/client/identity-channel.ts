import { Client, type ClientOptions as GrpcOptions, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { MAX_RECEIVE_BYTES } from "../contract/limits.ts";
import { type Address, formatAddress } from "../domain/address.ts";
import { ClientError } from "./client-error.ts";
import { type ConnectionFailure, describeFailure } from "./connection-failure.ts";
import type { Method } from "./methods.ts";
import { type Introduction, SvidCredentials } from "./svid-credentials.ts";

const GRPC_OPTIONS: GrpcOptions = {
  // A proxy of the environment would be one more party that learns who talks to whom.
  "grpc.enable_http_proxy": 0,
  // Otherwise a TXT record could say how calls are to be made, and that a Put that may have been applied is repeated.
  "grpc.service_config_disable_resolution": 1,
  // Without a policy for them, retries are the transparent ones alone (gRFC A6): of calls that crossed the server's
  // GOAWAY, which no code of the server has seen (RFC 9113, 8.7). Without those, each GOAWAY fails a handful of calls.
  "grpc.enable_retries": 1,
  // A request that is not kept until it is answered is not repeated. The default keeps no Put of more than a MiB.
  "grpc.per_rpc_retry_buffer_size": MAX_RECEIVE_BYTES,
  "grpc.retry_buffer_size": Number.MAX_SAFE_INTEGER,
  "grpc.max_receive_message_length": MAX_RECEIVE_BYTES,
  // Milliseconds. Two minutes, the default, is long for a workload that starts before its server.
  "grpc.max_reconnect_backoff_ms": 5000,
  // A server that vanished without a word is noticed after a minute and a third, if a call is under way.
  "grpc.keepalive_time_ms": 60_000,
  "grpc.keepalive_timeout_ms": 20_000,
  "grpc.enable_channelz": 0,
};

/**
 * The way to the server under one identity: one connection at a time, made when it is first needed. An identity that has
 * rotated gets a channel of its own, and the old one is drained.
 */
export class IdentityChannel {
  readonly #client: Client;
  readonly #credentials: SvidCredentials;
  readonly #introduction: Introduction;
  readonly #address: string;
  #calls = 0;
  #state: "open" | "draining" = "open";

  constructor(address: Address, introduction: Introduction) {
    this.#credentials = new SvidCredentials(introduction);
    this.#client = new Client(grpcTarget(address), this.#credentials, GRPC_OPTIONS);
    this.#introduction = introduction;
    this.#address = formatAddress(address);
  }

  /**
   * Whether a call of this identity may begin here. Not when the proof that the server gave of its own identity has
   * ended meanwhile: a rotated server is asked for its new one before it is sent another secret.
   */
  serves(identity: Introduction["identity"]): boolean {
    const { handshake } = this.#credentials;
    const proven = handshake.kind !== "accepted" || this.#introduction.clock() <= handshake.server.validUntil;
    return this.#introduction.identity === identity && proven;
  }

  /** Makes a call. `deadline` is in milliseconds since the epoch. Rejects with {@link ClientError}. */
  async call<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    deadline: number,
  ): Promise<Response> {
    if (method.isSecret) this.#refuseOwnId();
    this.#calls += 1;
    try {
      return await this.#send(method, request, deadline);
    } finally {
      this.#calls -= 1;
      this.#closeWhenIdle();
    }
  }

  /** Every workload with our SPIFFE ID could give the proof that is asked of the server, and would be sent our secrets. */
  #refuseOwnId(): void {
    const { identity, serverId } = this.#introduction;
    if (!identity.svid.id.equals(serverId)) return;
    const failure: ConnectionFailure = { kind: "own-id", id: serverId };
    throw new ClientError("FAILED_PRECONDITION", describeFailure(failure, this.#address), { failure });
  }

  /** Takes no more calls, and closes the connection when the last one is over: grpc-js would fail those that wait. */
  drain(): void {
    this.#state = "draining";
    this.#closeWhenIdle();
  }

  #closeWhenIdle(): void {
    if (this.#state === "draining" && this.#calls === 0) this.#client.close();
  }

  #send<Request, Response>(
    { path, changes, request: encoding, response: decoding }: Method<Request, Response>,
    request: Request,
    deadline: number,
  ): Promise<Response> {
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest<Request, Response>(
        path,
        encoding.encode,
        decoding.decode,
        request,
        new Metadata(),
        { deadline },
        (error, response) => (error === null ? resolve(response as Response) : reject(this.#explain(error, changes))),
      );
    });
  }

  #explain(error: ServiceError, changes: boolean): ClientError {
    const answer = ClientError.answered(error, changes);
    if (answer.code === "DEADLINE_EXCEEDED" && answer.reason === undefined) return this.#unanswered(error, changes);
    if (error.code !== status.UNAVAILABLE || answer.reason !== undefined) return answer;
    const failure = this.#failure(error.details);
    const told = describeFailure(failure, this.#address);
    // grpc-js says UNAVAILABLE of a connection that broke under a Put as well, which a policy of retries would repeat.
    if (changes && failure.kind === "broken") {
      return new ClientError("UNKNOWN", told, { failure, applied: "unknown" }, { cause: error });
    }
    return new ClientError("UNAVAILABLE", told, { failure }, { cause: error });
  }

  /** The deadline has passed on our side. grpc-js's message counts its own parts' times, which are no use to its user. */
  #unanswered(cause: ServiceError, changes: boolean): ClientError {
    const wasSent = this.#credentials.handshake.kind === "accepted";
    const failure: ConnectionFailure = { kind: "no-answer", wasSent };
    const told = { failure, applied: changes && wasSent ? "unknown" : "no" } as const;
    return new ClientError("DEADLINE_EXCEEDED", describeFailure(failure, this.#address), told, { cause });
  }

  #failure(problem: string): ConnectionFailure {
    const { handshake } = this.#credentials;
    const sent = handshake.kind !== "none" && !NEVER_SENT.test(problem);
    if (handshake.kind === "failed" && !sent) return handshake.failure;
    // An open connection has refused nobody: the call failed by an earlier attempt, while this one had just come about.
    if (handshake.kind === "accepted" && handshake.socket.bytesRead === 0 && handshake.socket.destroyed) {
      return { kind: "closed-at-once", as: this.#introduction.identity.svid.id, by: this.#introduction.serverId };
    }
    return { kind: sent ? "broken" : "unreachable", problem: lastError(problem) };
  }
}

/** How grpc-js says that a call was never put on a connection. Anything else may be a connection that broke. */
const NEVER_SENT = /^(No connection established|Name resolution failed|Channel closed before call started)/;

/** Of what grpc-js tells about a connection that never was, the operating system's word. */
function lastError(problem: string): string {
  return /Last error: (?:Error: )?(.*?)\.? Resolution note: .*$/.exec(problem)?.[1] ?? problem;
}

/** The address as a name for gRPC's resolvers. */
function grpcTarget(address: Address): string {
  return address.kind === "unix" ? formatAddress(address) : `dns:${formatAddress(address)}`;
}

import { Client, type ClientOptions as GrpcOptions, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { MAX_RECEIVE_BYTES } from "../contract/limits.ts";
import { type Address, formatAddress } from "../domain/address.ts";
import { ClientError, callAborted } from "./client-error.ts";
import { type ConnectionFailure, describeFailure } from "./connection-failure.ts";
import type { Method } from "./methods.ts";
import { type Introduction, SvidCredentials } from "./svid-credentials.ts";

const GRPC_OPTIONS: GrpcOptions = {
  // A proxy that the environment names would learn which workload calls which server.
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
  // Milliseconds. A second at first and two minutes at last, the defaults, are long for a workload that starts before
  // its server, or whose server is restarted.
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.max_reconnect_backoff_ms": 5000,
  // A server that vanished without a word is noticed after a minute and a third, if a call is under way.
  "grpc.keepalive_time_ms": 60_000,
  "grpc.keepalive_timeout_ms": 20_000,
  "grpc.enable_channelz": 0,
};

/** Until when a call may take, in milliseconds since the epoch, and what ends it before. */
export interface CallLimits {
  readonly deadline: number;
  readonly signal: AbortSignal | undefined;
}

/**
 * Calls one server with one identity: over one connection at a time, made when it is first needed. An identity that has
 * rotated gets a channel of its own, and the old one is drained.
 */
export class IdentityChannel {
  readonly #client: Client;
  readonly #credentials: SvidCredentials;
  readonly #introduction: Introduction;
  readonly #address: string;
  #calls = 0;
  /** `silent`: a call got no answer in its time, and nothing else came on the connection meanwhile. */
  #state: "open" | "silent" | "draining" = "open";

  constructor(address: Address, introduction: Introduction) {
    this.#credentials = new SvidCredentials(introduction);
    this.#client = new Client(grpcTarget(address), this.#credentials, GRPC_OPTIONS);
    this.#introduction = introduction;
    this.#address = formatAddress(address);
  }

  /**
   * Whether a call of this identity may begin here. Not when the proof that the server gave of its own identity has
   * ended meanwhile: a rotated server is asked for its new one before it is sent another secret. Nor on a connection
   * that has gone silent: a host that is frozen or unplugged closes none, and keepalive notices after a minute and more.
   */
  serves(identity: Introduction["identity"]): boolean {
    const { handshake } = this.#credentials;
    const proven = handshake.kind !== "accepted" || this.#introduction.clock() <= handshake.server.validUntil;
    return this.#introduction.identity === identity && proven && this.#state !== "silent";
  }

  /** Whether there is a connection, as far as is known. */
  get isConnected(): boolean {
    const { handshake } = this.#credentials;
    return handshake.kind === "accepted" && !handshake.socket.destroyed;
  }

  /** Whether the last call got no answer, and nothing else came on the connection meanwhile. */
  get isSilent(): boolean {
    return this.#state === "silent";
  }

  /** Makes a call. Rejects with {@link ClientError}. */
  async call<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    limits: CallLimits,
  ): Promise<Response> {
    if (method.isSecret) this.#refuseOwnId();
    this.#calls += 1;
    try {
      return await this.#send(method, request, limits);
    } finally {
      this.#calls -= 1;
      this.#closeWhenIdle();
    }
  }

  /** Any workload with this SPIFFE ID could prove to be the server, and would receive the secrets. */
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
    method: Method<Request, Response>,
    request: Request,
    { deadline, signal }: CallLimits,
  ): Promise<Response> {
    const { path, request: encoding, response: decoding } = method;
    const received = this.#bytesReceived;
    return new Promise((resolve, reject) => {
      const call = this.#client.makeUnaryRequest<Request, Response>(
        path,
        encoding.encode,
        decoding.decode,
        request,
        new Metadata(),
        { deadline },
        (error, response) => {
          signal?.removeEventListener("abort", cancel);
          if (error !== null) reject(this.#explain(error, { method, signal, received }));
          else resolve(response as Response);
        },
      );
      const cancel = () => call.cancel();
      signal?.addEventListener("abort", cancel);
      // It may have been aborted while the identity was opened, and says so only once.
      if (signal?.aborted) cancel();
    });
  }

  /** How much has come on the latest connection. Answers to HTTP/2 pings count: the server's process sends them. */
  get #bytesReceived(): number {
    const { handshake } = this.#credentials;
    return handshake.kind === "accepted" ? handshake.socket.bytesRead : 0;
  }

  #explain(error: ServiceError, { method: { changes }, signal, received }: SentCall): ClientError {
    const answer = ClientError.answered(error, changes);
    if (answer.reason === undefined && answer.code === "CANCELLED" && signal?.aborted) {
      return callAborted(signal, changes && this.#wasSent ? "unknown" : "no");
    }
    if (answer.code === "DEADLINE_EXCEEDED" && answer.reason === undefined) {
      if (this.#bytesReceived === received && this.#state === "open") this.#state = "silent";
      return this.#unanswered(error, changes);
    }
    if (error.code !== status.UNAVAILABLE || answer.reason !== undefined) return answer;
    const failure = this.#failure(error.details);
    const message = describeFailure(failure, this.#address);
    // grpc-js says UNAVAILABLE of a connection that broke under a Put as well, which a policy of retries would repeat.
    if (changes && failure.kind === "broken") {
      return new ClientError("UNKNOWN", message, { failure, applied: "unknown" }, { cause: error });
    }
    return new ClientError("UNAVAILABLE", message, { failure }, { cause: error });
  }

  /** The client's deadline has passed. The message of grpc-js lists the times of its own parts, which do not help users. */
  #unanswered(cause: ServiceError, changes: boolean): ClientError {
    const wasSent = this.#wasSent;
    const failure: ConnectionFailure = { kind: "no-answer", wasSent };
    const facts = { failure, applied: changes && wasSent ? "unknown" : "no" } as const;
    return new ClientError("DEADLINE_EXCEEDED", describeFailure(failure, this.#address), facts, { cause });
  }

  /** Whether a call that has ended without an answer may have been sent. */
  get #wasSent(): boolean {
    return this.#credentials.handshake.kind === "accepted";
  }

  #failure(problem: string): ConnectionFailure {
    const { handshake } = this.#credentials;
    const sent = handshake.kind !== "none" && !NEVER_SENT.test(problem);
    if (handshake.kind === "failed" && !sent) return handshake.failure;
    // An open connection was not refused: the call failed with an earlier attempt, just before this connection was made.
    if (handshake.kind === "accepted" && handshake.socket.bytesRead === 0 && handshake.socket.destroyed) {
      return { kind: "closed-at-once", as: this.#introduction.identity.svid.id, by: this.#introduction.serverId };
    }
    return { kind: sent ? "broken" : "unreachable", problem: lastError(problem) };
  }
}

/** What is known of a call when it ends. */
interface SentCall {
  readonly method: Pick<Method<unknown, unknown>, "changes">;
  readonly signal: AbortSignal | undefined;
  /** What had come on the connection when the call was made, in bytes. */
  readonly received: number;
}

/** How grpc-js says that a call was never put on a connection. Anything else may be a connection that broke. */
const NEVER_SENT = /^(No connection established|Name resolution failed|Channel closed before call started)/;

/** The error of the operating system, from what grpc-js reports of a connection that was never made. */
function lastError(problem: string): string {
  return /Last error: (?:Error: )?(.*?)\.? Resolution note: .*$/.exec(problem)?.[1] ?? problem;
}

/** The address as a name for gRPC's resolvers. */
function grpcTarget(address: Address): string {
  return address.kind === "unix" ? formatAddress(address) : `dns:${formatAddress(address)}`;
}

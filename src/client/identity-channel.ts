import { Client, type ClientOptions as GrpcOptions, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { MAX_RECEIVE_BYTES } from "../contract/limits.ts";
import { type Address, formatAddress } from "../domain/address.ts";
import { ClientError, callAborted } from "./client-error.ts";
import { type ConnectionFailure, describeFailure } from "./connection-failure.ts";
import type { Method } from "./methods.ts";
import { ServerStream, type StreamObserver } from "./server-stream.ts";
import { type Introduction, SvidCredentials } from "./svid-credentials.ts";

const GRPC_OPTIONS: GrpcOptions = {
  // Otherwise grpc-js uses the proxy that an environment variable names. That proxy would learn which workload calls
  // which server.
  "grpc.enable_http_proxy": 0,
  // Otherwise a TXT record could contain a service config with a retry policy that repeats a Put that may have been
  // applied.
  "grpc.service_config_disable_resolution": 1,
  // Without a retry policy, this enables only transparent retries (gRFC A6): of calls that were sent before the
  // server's GOAWAY arrived, and that the server has not processed (RFC 9113 8.7). Without them, each GOAWAY fails a
  // few calls.
  "grpc.enable_retries": 1,
  // grpc-js repeats only requests that it has buffered. Its default buffers no Put of more than a MiB.
  "grpc.per_rpc_retry_buffer_size": MAX_RECEIVE_BYTES,
  "grpc.retry_buffer_size": Number.MAX_SAFE_INTEGER,
  "grpc.max_receive_message_length": MAX_RECEIVE_BYTES,
  // Milliseconds. The defaults, from one second up to two minutes, are too long for a workload that starts before its
  // server, or whose server is restarted.
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.max_reconnect_backoff_ms": 5000,
  // Milliseconds. A server that disappeared without closing its connection is detected after 80 seconds, during a call.
  "grpc.keepalive_time_ms": 60_000,
  "grpc.keepalive_timeout_ms": 20_000,
  "grpc.enable_channelz": 0,
};

/** The deadline of a call, in milliseconds since the epoch, and the signal that can end it earlier. */
export interface CallLimits {
  readonly deadline: number;
  readonly signal: AbortSignal | undefined;
  /** Whether the call may be made again after an unknown outcome: it only reads, or it has a request_id. */
  readonly isRepeatable: boolean;
}

/**
 * Calls one server with one identity, over one connection at a time, which is made when it is first needed. After a
 * rotation, the new identity gets a new channel, and the previous one is drained.
 */
export class IdentityChannel {
  readonly #client: Client;
  readonly #credentials: SvidCredentials;
  readonly #introduction: Introduction;
  readonly #address: string;
  readonly #streams = new Set<Pick<ServerStream<unknown>, "replace">>();
  #calls = 0;
  /** `silent`: a call got no answer in time, and nothing else arrived on the connection during the call. */
  #state: "open" | "silent" | "draining" = "open";

  constructor(address: Address, introduction: Introduction) {
    this.#credentials = new SvidCredentials(introduction);
    this.#client = new Client(grpcTarget(address), this.#credentials, GRPC_OPTIONS);
    this.#introduction = introduction;
    this.#address = formatAddress(address);
  }

  /**
   * Whether a call with this identity may begin on this channel. False if the server's SVID has expired since the
   * handshake: the server must prove its identity again before it receives another secret. Also false on a silent
   * connection: a host that is frozen or unplugged does not close its connections, and keepalive takes more than a
   * minute to detect it.
   */
  serves(identity: Introduction["identity"]): boolean {
    const { handshake } = this.#credentials;
    const proven = handshake.kind !== "accepted" || this.#introduction.clock() <= handshake.server.validUntil;
    return this.#introduction.identity === identity && proven && this.#state !== "silent";
  }

  /** Whether there is a connection that is not known to be closed. */
  get isConnected(): boolean {
    const { handshake } = this.#credentials;
    return handshake.kind === "accepted" && !handshake.socket.destroyed;
  }

  /** Whether a call got no answer in time, and nothing else arrived on the connection during the call. */
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

  /**
   * Begins a call whose response is a stream. The stream ends when the channel is drained. Throws {@link ClientError} if
   * the call may not be made.
   */
  stream<Request, Response>(
    { path, request: encoding, response: decoding, changes, isSecret }: Method<Request, Response>,
    request: Request,
    observer: Pick<StreamObserver, "onAnswer" | "onOver">,
  ): ServerStream<Response> {
    if (isSecret) this.#refuseOwnId();
    const received = this.#bytesReceived;
    const { encode } = encoding;
    const call = this.#client.makeServerStreamRequest(path, encode, decoding.decode, request, new Metadata());
    const stream = new ServerStream(call, {
      onAnswer: observer.onAnswer,
      explain: (error) => this.#explain(error, { method: { changes }, signal: undefined, received }),
      silenced: () => this.#silenced(),
      onOver: (error) => {
        this.#streams.delete(stream);
        this.#calls -= 1;
        observer.onOver(error);
        this.#closeWhenIdle();
      },
    });
    this.#calls += 1;
    this.#streams.add(stream);
    return stream;
  }

  /** The error of a stream on which nothing has arrived for too long. No call begins on this connection any more. */
  #silenced(): ClientError {
    if (this.#state === "open") this.#state = "silent";
    const failure: ConnectionFailure = { kind: "no-answer", wasSent: this.#wasSent };
    return new ClientError("UNAVAILABLE", describeFailure(failure, this.#address), { failure });
  }

  /**
   * Refuses to call a server with the client's own SPIFFE ID: any workload with it could impersonate the server and get
   * secrets.
   */
  #refuseOwnId(): void {
    const { identity, serverId } = this.#introduction;
    if (!identity.svid.id.equals(serverId)) return;
    const failure: ConnectionFailure = { kind: "own-id", id: serverId };
    throw new ClientError("FAILED_PRECONDITION", describeFailure(failure, this.#address), { failure });
  }

  /**
   * Accepts no more calls, and closes the connection after the last one. An earlier close would fail calls that wait in
   * grpc-js. Streams have no end of their own, so they end now.
   */
  drain(): void {
    this.#state = "draining";
    for (const stream of [...this.#streams]) stream.replace();
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
      // The signal may have been aborted while the identity source was opened, and the event occurs only once.
      if (signal?.aborted) cancel();
    });
  }

  /**
   * The bytes received on the latest connection, including answers to HTTP/2 pings, which show that the server's
   * process runs.
   */
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
    // grpc-js also reports UNAVAILABLE if a connection fails during a Put, and a retry policy would repeat that call.
    if (changes && failure.kind === "broken") {
      return new ClientError("UNKNOWN", message, { failure, applied: "unknown" }, { cause: error });
    }
    return new ClientError("UNAVAILABLE", message, { failure }, { cause: error });
  }

  /**
   * The error after the client's deadline has passed. Replaces the message of grpc-js, which lists times of its
   * internals.
   */
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
    // A connection that is still open was not refused: the call then failed on an earlier connection.
    if (handshake.kind === "accepted" && handshake.socket.bytesRead === 0 && handshake.socket.destroyed) {
      return { kind: "closed-at-once", as: this.#introduction.identity.svid.id, by: this.#introduction.serverId };
    }
    return { kind: sent ? "broken" : "unreachable", problem: lastError(problem) };
  }
}

/** The facts about a sent call that are needed when it ends. */
interface SentCall {
  readonly method: Pick<Method<unknown, unknown>, "changes">;
  readonly signal: AbortSignal | undefined;
  /** The bytes that had arrived on the connection when the call was made. */
  readonly received: number;
}

/**
 * The messages of grpc-js for a call that was never sent on a connection. With any other message, the call may have
 * been sent before the connection failed.
 */
const NEVER_SENT = /^(No connection established|Name resolution failed|Channel closed before call started)/;

/** The operating system's error in the message of grpc-js for a connection that could not be made. */
function lastError(problem: string): string {
  return /Last error: (?:Error: )?(.*?)\.? Resolution note: .*$/.exec(problem)?.[1] ?? problem;
}

/** The address as a name for gRPC's resolvers. */
function grpcTarget(address: Address): string {
  return address.kind === "unix" ? formatAddress(address) : `dns:${formatAddress(address)}`;
}

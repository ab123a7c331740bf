import { type Metadata, type ServiceError, status as grpcStatus } from "@grpc/grpc-js";
import {
  DetailType,
  type ErrorInfo,
  STATUS_DETAILS_TRAILER,
  errorInfo,
  retryInfo,
  status as rpcStatus,
} from "../contract/error-details.ts";
import { APPLIED, type Applied, ERROR_DOMAIN, type Reason } from "../contract/reasons.ts";
import { WireError } from "../contract/wire.ts";
import type { ErrorMetadata } from "../domain/errors.ts";
import type { ConnectionFailure } from "./connection-failure.ts";

/** The name of a gRPC status code, such as "NOT_FOUND". Source: grpc.io, "Status codes and their use in gRPC". */
export type StatusName = keyof typeof grpcStatus;

/**
 * A call that failed. `message` is for a person: the server's, or ours when there was no server to speak of. The code
 * UNAVAILABLE always means that nothing was applied.
 */
export class ClientError extends Error {
  /** Always "ClientError". */
  override readonly name = "ClientError";
  /** The gRPC status. */
  readonly code: StatusName;
  /** Why, when the server says so; coffer.proto lists them. A newer server may send one that is not in the type. */
  readonly reason: Reason | undefined;
  /** Facts about the failure by name, such as `path` or `latest_version`. Never a value. */
  readonly metadata: ErrorMetadata;
  /** After how many milliseconds the same call may succeed, when the server says so. */
  readonly retryDelayMs: number | undefined;
  /** Present when the call got no answer. */
  readonly failure: ConnectionFailure | undefined;
  /** After "unknown", read the secret before the call is repeated, or repeat it with the version that it expects. */
  readonly applied: Applied;

  /** @internal */
  constructor(code: StatusName, message: string, told: Told = {}, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.reason = told.reason;
    this.metadata = told.metadata ?? {};
    this.retryDelayMs = told.retryDelayMs;
    this.failure = told.failure;
    this.applied = told.applied ?? "no";
  }

  /**
   * The error of a call to which gRPC gave a status. `changes` says whether the call is a Put or a Delete.
   *
   * @internal
   */
  static answered(error: ServiceError, changes: boolean): ClientError {
    const told = readDetails(error.metadata);
    const code = statusName(error);
    const applied = changes ? appliedBy(code, told.reason) : "no";
    return new ClientError(code, error.details, { ...told, applied }, { cause: error });
  }
}

/** An option or an argument can't be used. Nothing was sent. */
export function invalidOption(message: string, options?: ErrorOptions): ClientError {
  return new ClientError("INVALID_ARGUMENT", message, {}, options);
}

/** Neither the options nor the environment name an identity. `missing` are the variables that files would need. */
export function noIdentity(endpointVariable: string, missing: readonly string[]): ClientError {
  const problem = `no identity: set ${endpointVariable} to the address of the SPIFFE Workload API, or set ${missing.join(" and ")}, or give the option identity`;
  return new ClientError("FAILED_PRECONDITION", problem, { failure: { kind: "no-identity", problems: [problem] } });
}

/** The client was closed before the call was made, or while it waited for another attempt. */
export function clientClosed(): ClientError {
  return new ClientError("CANCELLED", "the client is closed");
}

/** The signal of the call was aborted. Its reason is the cause. */
export function callAborted(signal: AbortSignal, applied: Applied = "no"): ClientError {
  return new ClientError("CANCELLED", "the call was aborted by its signal", { applied }, { cause: signal.reason });
}

/** What is known of a failure beside its code and message. */
export interface Told {
  readonly reason?: Reason;
  readonly metadata?: ErrorMetadata;
  readonly retryDelayMs?: number | undefined;
  readonly failure?: ConnectionFailure;
  /** "no" by default. */
  readonly applied?: Applied;
}

function statusName(error: ServiceError): StatusName {
  return (grpcStatus[error.code] ?? "UNKNOWN") as StatusName;
}

/**
 * The codes that say "not applied" even without a reason: grpc-js refuses a request so before the service sees it, and
 * a proxy one that it does not let through. Any other may be a connection that broke after the server had the request.
 */
const REFUSALS: ReadonlySet<StatusName> = new Set([
  "UNIMPLEMENTED",
  "RESOURCE_EXHAUSTED",
  "PERMISSION_DENIED",
  "UNAUTHENTICATED",
]);

/** A reason that this release does not know is a newer server's, and leaves the outcome open. */
function appliedBy(code: StatusName, reason: Reason | undefined): Applied {
  if (reason !== undefined) return APPLIED[reason] ?? "unknown";
  return REFUSALS.has(code) ? "no" : "unknown";
}

/** Coffer's ErrorInfo and RetryInfo; nothing when there is no ErrorInfo of Coffer's, or when they can't be read. */
function readDetails(trailers: Metadata | undefined): Told {
  const [bytes] = trailers?.get(STATUS_DETAILS_TRAILER) ?? [];
  if (!Buffer.isBuffer(bytes)) return {};
  try {
    const { details } = rpcStatus.decode(bytes);
    const valuesOf = (type: string) => details.filter(({ typeUrl }) => typeUrl === type).map(({ value }) => value);
    const info = valuesOf(DetailType.errorInfo)
      .map((value) => errorInfo.decode(value))
      .find(({ domain }) => domain === ERROR_DOMAIN);
    if (info === undefined) return {};
    const [retry] = valuesOf(DetailType.retryInfo).map((value) => retryInfo.decode(value));
    return { reason: info.reason as Reason, metadata: readMetadata(info), retryDelayMs: retry?.retryDelay };
  } catch (error) {
    // The code and the message are worth more to the caller than our complaint about the rest.
    if (error instanceof WireError) return {};
    throw error;
  }
}

function readMetadata(info: ErrorInfo): ErrorMetadata {
  return Object.fromEntries(info.metadata.map(({ key, value }) => [key, Buffer.from(value).toString()]));
}

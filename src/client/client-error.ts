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
 * A call that failed, or an option that can't be used. `message` is for humans. It comes from the server, or from the
 * client if no server answered. The code UNAVAILABLE always means that nothing was applied.
 */
export class ClientError extends Error {
  /** Always "ClientError". */
  override readonly name = "ClientError";
  /** The gRPC status. */
  readonly code: StatusName;
  /**
   * The server's reason, if it sent one; coffer.proto lists them. A newer server may send one that is not in the type.
   */
  readonly reason: Reason | undefined;
  /** Facts about the failure by name, such as `path` or `latest_version`. Never a value. */
  readonly metadata: ErrorMetadata;
  /** After how many milliseconds the same call may succeed, if the server sent a delay. */
  readonly retryDelayMs: number | undefined;
  /** Defined if the call got no answer. */
  readonly failure: ConnectionFailure | undefined;
  /**
   * Whether a change was applied. After "unknown", make the same call with the option `requestId`, or with
   * `expectedVersion`, or read the secret first.
   */
  readonly applied: Applied;
  /**
   * The request_id of a change with `applied: "unknown"`, if it had one. The same call with this value as the option
   * `requestId` gets the first answer if the change was applied, and applies it otherwise. The server keeps answers for
   * 24 hours.
   */
  readonly requestId: string | undefined;

  /** @internal */
  constructor(code: StatusName, message: string, facts: ErrorFacts = {}, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.reason = facts.reason;
    this.metadata = facts.metadata ?? {};
    this.retryDelayMs = facts.retryDelayMs;
    this.failure = facts.failure;
    this.applied = facts.applied ?? "no";
    this.requestId = facts.requestId;
  }

  /**
   * The error of a call that ended with a gRPC status. `changes` states whether the call can change the store.
   *
   * @internal
   */
  static answered(error: ServiceError, changes: boolean): ClientError {
    const facts = readDetails(error.metadata);
    const code = statusName(error);
    const applied = changes ? appliedBy(code, facts.reason) : "no";
    return new ClientError(code, error.details, { ...facts, applied }, { cause: error });
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

/** The cache was closed. */
export function cacheClosed(): ClientError {
  return new ClientError("CANCELLED", "the cache is closed");
}

/** The signal of the call was aborted. The reason of the signal becomes the cause of the error. */
export function callAborted(signal: AbortSignal, applied: Applied = "no"): ClientError {
  return new ClientError("CANCELLED", "the call was aborted by its signal", { applied }, { cause: signal.reason });
}

/**
 * The error of a change of which an attempt may have been applied. `last` is the error of the last attempt. It may say
 * "not applied" about its own attempt, but not about `earlier`.
 */
export function unclear(last: ClientError, earlier: ClientError, requestId: string | undefined): ClientError {
  const { reason, metadata, failure, retryDelayMs, cause } = last;
  const message =
    last === earlier ? last.message : `${last.message}; an earlier attempt may have been applied: ${earlier.message}`;
  // UNAVAILABLE always means that nothing was applied.
  const code = last.code === "UNAVAILABLE" ? "UNKNOWN" : last.code;
  return new ClientError(
    code,
    message,
    { reason, metadata, failure, retryDelayMs, applied: "unknown", requestId },
    { cause },
  );
}

/** The properties of a failure in addition to its code and message. */
export interface ErrorFacts {
  readonly reason?: Reason | undefined;
  readonly metadata?: ErrorMetadata | undefined;
  readonly retryDelayMs?: number | undefined;
  readonly failure?: ConnectionFailure | undefined;
  /** "no" by default. */
  readonly applied?: Applied | undefined;
  readonly requestId?: string | undefined;
}

function statusName(error: ServiceError): StatusName {
  return (grpcStatus[error.code] ?? "UNKNOWN") as StatusName;
}

/**
 * The codes that mean "not applied" even without a reason. grpc-js sends them when it refuses a request before the
 * service sees it, and a proxy sends them for a request that it does not forward. With any other code, the connection
 * may have failed after the server had received the request.
 */
const REFUSALS: ReadonlySet<StatusName> = new Set([
  "UNIMPLEMENTED",
  "RESOURCE_EXHAUSTED",
  "PERMISSION_DENIED",
  "UNAUTHENTICATED",
]);

/** A reason that this release does not know comes from a newer server, so the outcome is unknown. */
function appliedBy(code: StatusName, reason: Reason | undefined): Applied {
  // A newer server may send any name, such as "toString", which every object has.
  if (reason !== undefined) return Object.hasOwn(APPLIED, reason) ? APPLIED[reason] : "unknown";
  return REFUSALS.has(code) ? "no" : "unknown";
}

/** Coffer's ErrorInfo and RetryInfo; empty if there is no ErrorInfo of Coffer, or if they can't be read. */
function readDetails(trailers: Metadata | undefined): ErrorFacts {
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
    // The caller needs the code and the message more than an error about the details.
    if (error instanceof WireError) return {};
    throw error;
  }
}

function readMetadata(info: ErrorInfo): ErrorMetadata {
  return Object.fromEntries(info.metadata.map(({ key, value }) => [key, Buffer.from(value).toString()]));
}

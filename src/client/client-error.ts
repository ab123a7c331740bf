import { type Metadata, type ServiceError, status as grpcStatus } from "@grpc/grpc-js";
import {
  DetailType,
  type ErrorInfo,
  STATUS_DETAILS_TRAILER,
  errorInfo,
  status as rpcStatus,
} from "../contract/error-details.ts";
import { ERROR_DOMAIN, type Reason } from "../contract/reasons.ts";
import { WireError } from "../contract/wire.ts";
import type { ErrorMetadata } from "../domain/errors.ts";
import type { ConnectionFailure } from "./connection-failure.ts";

/** The name of a gRPC status code, such as "NOT_FOUND". Source: grpc.io, "Status codes and their use in gRPC". */
export type StatusName = keyof typeof grpcStatus;

/** A call that failed. `message` is for a person: the server's, or ours when there was no server to speak of. */
export class ClientError extends Error {
  override readonly name = "ClientError";
  readonly code: StatusName;
  /** Why, when the server says so; coffer.proto lists them. A newer server may send one that is not in the type. */
  readonly reason: Reason | undefined;
  readonly metadata: ErrorMetadata;
  /** Present when the call got no answer. */
  readonly failure: ConnectionFailure | undefined;

  constructor(code: StatusName, message: string, told: Told = {}, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.reason = told.reason;
    this.metadata = told.metadata ?? {};
    this.failure = told.failure;
  }

  /** The error of a call that a server answered. */
  static answered(error: ServiceError): ClientError {
    const info = readErrorInfo(error.metadata);
    const told = info && { reason: info.reason as Reason, metadata: readMetadata(info) };
    return new ClientError(statusName(error), error.details, told, { cause: error });
  }
}

/** What is known of a failure beside its code and message. */
export interface Told {
  readonly reason?: Reason;
  readonly metadata?: ErrorMetadata;
  readonly failure?: ConnectionFailure;
}

function statusName(error: ServiceError): StatusName {
  return (grpcStatus[error.code] ?? "UNKNOWN") as StatusName;
}

/** Coffer's ErrorInfo among the details; undefined when there is none, or when they can't be read. */
function readErrorInfo(trailers: Metadata | undefined): ErrorInfo | undefined {
  const [details] = trailers?.get(STATUS_DETAILS_TRAILER) ?? [];
  if (!Buffer.isBuffer(details)) return undefined;
  try {
    const infos = rpcStatus
      .decode(details)
      .details.filter((detail) => detail.typeUrl === DetailType.errorInfo)
      .map((detail) => errorInfo.decode(detail.value));
    return infos.find((info) => info.domain === ERROR_DOMAIN);
  } catch (error) {
    // The code and the message are worth more to the caller than our complaint about the rest.
    if (error instanceof WireError) return undefined;
    throw error;
  }
}

function readMetadata(info: ErrorInfo): ErrorMetadata {
  return Object.fromEntries(info.metadata.map(({ key, value }) => [key, Buffer.from(value).toString()]));
}

import { Metadata, type ServerErrorResponse, type StatusObject, status as Code } from "@grpc/grpc-js";
import {
  type AnyMessage,
  DetailType,
  STATUS_DETAILS_TRAILER,
  badRequest,
  errorInfo,
  retryInfo,
  status,
} from "../contract/error-details.ts";
import { ERROR_DOMAIN, type Reason } from "../contract/reasons.ts";
import { TooManyElements, WireError } from "../contract/wire.ts";
import { CofferError, malformedRequest, tooManyElements } from "../domain/errors.ts";

/** The only mapping from reasons to gRPC codes. coffer.proto documents it for callers. */
const CODES: Readonly<Record<Reason, Code>> = {
  MALFORMED_REQUEST: Code.INVALID_ARGUMENT,
  INVALID_FIELD: Code.INVALID_ARGUMENT,
  LIMIT_EXCEEDED: Code.INVALID_ARGUMENT,
  INVALID_PAGE_TOKEN: Code.INVALID_ARGUMENT,
  REQUEST_ID_REUSED: Code.INVALID_ARGUMENT,
  SVID_EXPIRED: Code.UNAUTHENTICATED,
  ACCESS_DENIED: Code.PERMISSION_DENIED,
  BUDGET_EXCEEDED: Code.RESOURCE_EXHAUSTED,
  REQUEST_IDS_FULL: Code.RESOURCE_EXHAUSTED,
  SECRET_NOT_FOUND: Code.NOT_FOUND,
  VERSION_NOT_FOUND: Code.NOT_FOUND,
  VERSION_DELETED: Code.NOT_FOUND,
  VERSION_DESTROYED: Code.NOT_FOUND,
  VERSION_EXPIRED: Code.NOT_FOUND,
  WATCH_NOT_FOUND: Code.NOT_FOUND,
  KEY_NOT_FOUND: Code.NOT_FOUND,
  VERSION_MISMATCH: Code.ABORTED,
  CAS_REQUIRED: Code.FAILED_PRECONDITION,
  NOT_CONVERGED: Code.FAILED_PRECONDITION,
  CONTENT_UNREADABLE: Code.DATA_LOSS,
  CONTENTION: Code.ABORTED,
  STORE_FULL: Code.RESOURCE_EXHAUSTED,
  DISK_FULL: Code.RESOURCE_EXHAUSTED,
  QUEUE_FULL: Code.UNAVAILABLE,
  // Not UNAVAILABLE: generic retry policies repeat such a call, and a Put that is applied twice creates two versions.
  OUTCOME_UNKNOWN: Code.UNKNOWN,
  ANSWER_TOO_LARGE: Code.RESOURCE_EXHAUSTED,
  REVISION_AHEAD: Code.UNAVAILABLE,
  SHUTTING_DOWN: Code.UNAVAILABLE,
  DEADLINE_EXCEEDED: Code.DEADLINE_EXCEEDED,
  INTERNAL: Code.INTERNAL,
};

const INTERNAL_MESSAGE = "internal error; the server's log has the cause";

/**
 * The error that is sent to a caller. Any error that is not a CofferError is a bug and becomes INTERNAL with a fixed
 * text: the message of an unexpected error may contain SQL, a file name or a secret value.
 */
export function toCofferError(error: unknown): CofferError {
  if (error instanceof CofferError) return error;
  if (error instanceof TooManyElements) return tooManyElements(error.field ?? "the request", error.limit);
  if (error instanceof WireError) return malformedRequest(error.message, error.field);
  return new CofferError("INTERNAL", INTERNAL_MESSAGE, {}, { cause: error });
}

/** The gRPC code that a reason maps to. */
export function codeOf(reason: Reason): Code {
  return CODES[reason];
}

/** The name of a gRPC code, such as "NOT_FOUND". */
export function codeName(code: Code): string {
  return Code[code];
}

/** A CofferError as a gRPC status: code, message, and google.rpc details in the trailer. */
export function toStatus(error: CofferError): ServerErrorResponse & StatusObject {
  const code = CODES[error.reason];
  const metadata = new Metadata();
  metadata.set(STATUS_DETAILS_TRAILER, status.encode({ code, message: error.message, details: details(error) }));
  return { name: error.name, message: error.message, code, details: error.message, metadata };
}

function details({ reason, message, metadata, retryDelayMs }: CofferError): AnyMessage[] {
  const entries = Object.entries(metadata).map(([key, value]) => ({ key, value: Buffer.from(value) }));
  const details: AnyMessage[] = [
    { typeUrl: DetailType.errorInfo, value: errorInfo.encode({ reason, domain: ERROR_DOMAIN, metadata: entries }) },
  ];
  const { field } = metadata;
  if (field !== undefined) {
    const fieldViolations = [{ field, description: message }];
    details.push({ typeUrl: DetailType.badRequest, value: badRequest.encode({ fieldViolations }) });
  }
  if (retryDelayMs !== undefined) {
    const retryDelay = Math.ceil(retryDelayMs);
    details.push({ typeUrl: DetailType.retryInfo, value: retryInfo.encode({ retryDelay }) });
  }
  return details;
}

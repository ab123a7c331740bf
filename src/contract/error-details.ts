import { type MapEntry, map } from "./map-field.ts";
import { bytes, int32, message, string } from "./message.ts";
import { repeated } from "./repeated-fields.ts";
import { duration } from "./time-fields.ts";

/**
 * google.rpc.Status and the details that Coffer puts into it. They are sent in the trailer grpc-status-details-bin.
 * Source: google/rpc/status.proto, google/rpc/error_details.proto; AIP-193.
 */

/** google.protobuf.Any. */
export interface AnyMessage {
  readonly typeUrl: string;
  readonly value: Uint8Array;
}

const any = message<AnyMessage>({ typeUrl: string(1, "type_url"), value: bytes(2, "value") });

/** google.rpc.Status. Code and message repeat gRPC's own trailers; only the details add information. */
export interface Status {
  readonly code: number;
  readonly message: string;
  readonly details: readonly AnyMessage[];
}

/** google.rpc.Status on the wire. */
export const status = message<Status>({
  code: int32(1, "code"),
  message: string(2, "message"),
  details: repeated(3, "details", any),
});

/** google.rpc.ErrorInfo: the reason, for programs. `domain` identifies the set of reasons that contains `reason`. */
export interface ErrorInfo {
  readonly reason: string;
  readonly domain: string;
  readonly metadata: readonly MapEntry[];
}

/** google.rpc.ErrorInfo on the wire. */
export const errorInfo = message<ErrorInfo>({
  reason: string(1, "reason"),
  domain: string(2, "domain"),
  metadata: map(3, "metadata", "text"),
});

/** What is wrong with one field, by its name in the proto. */
export interface FieldViolation {
  readonly field: string;
  readonly description: string;
}

const fieldViolation = message<FieldViolation>({ field: string(1, "field"), description: string(2, "description") });

/** google.rpc.BadRequest: the invalid fields. */
export interface BadRequest {
  readonly fieldViolations: readonly FieldViolation[];
}

/** google.rpc.BadRequest on the wire. */
export const badRequest = message<BadRequest>({ fieldViolations: repeated(1, "field_violations", fieldViolation) });

/** google.rpc.RetryInfo: when the client may repeat the call. */
export interface RetryInfo {
  /** Milliseconds after the response. */
  readonly retryDelay: number | undefined;
}

/** google.rpc.RetryInfo on the wire. */
export const retryInfo = message<RetryInfo>({ retryDelay: duration(1, "retry_delay") });

/** The `type_url` of each detail. */
export const DetailType = {
  errorInfo: "type.googleapis.com/google.rpc.ErrorInfo",
  badRequest: "type.googleapis.com/google.rpc.BadRequest",
  retryInfo: "type.googleapis.com/google.rpc.RetryInfo",
} as const;

/** The trailer that carries a serialized google.rpc.Status. */
export const STATUS_DETAILS_TRAILER = "grpc-status-details-bin";

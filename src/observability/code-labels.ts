/**
 * The values of the label grpc_code by the number of the gRPC status. They are the names of the Go library and not those
 * of the protocol, because go-grpc-prometheus writes them and existing dashboards query them.
 */
export const CODE_LABELS: readonly string[] = [
  "OK",
  "Canceled",
  "Unknown",
  "InvalidArgument",
  "DeadlineExceeded",
  "NotFound",
  "AlreadyExists",
  "PermissionDenied",
  "ResourceExhausted",
  "FailedPrecondition",
  "Aborted",
  "OutOfRange",
  "Unimplemented",
  "Internal",
  "Unavailable",
  "DataLoss",
  "Unauthenticated",
];

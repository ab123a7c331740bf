/** The `domain` of every google.rpc.ErrorInfo that the server sends. */
export const ERROR_DOMAIN = "coffer";

/**
 * Why a call failed: the closed set of reasons, as the table in coffer.proto explains them. A reason is part of the
 * contract: it is never renamed, and never used for something else.
 */
export type Reason =
  // The request itself.
  | "MALFORMED_REQUEST"
  | "INVALID_FIELD"
  | "LIMIT_EXCEEDED"
  | "INVALID_PAGE_TOKEN"
  // The caller.
  | "SVID_EXPIRED"
  | "ACCESS_DENIED"
  | "BUDGET_EXCEEDED"
  // What is stored.
  | "SECRET_NOT_FOUND"
  | "VERSION_NOT_FOUND"
  | "VERSION_DELETED"
  | "VERSION_MISMATCH"
  | "CONTENT_UNREADABLE"
  // Committing a change.
  | "CONTENTION"
  | "STORE_FULL"
  | "DISK_FULL"
  | "OUTCOME_UNKNOWN"
  // The server.
  | "SHUTTING_DOWN"
  | "DEADLINE_EXCEEDED"
  | "INTERNAL";

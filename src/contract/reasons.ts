/** The `domain` of every google.rpc.ErrorInfo that the server sends. */
export const ERROR_DOMAIN = "coffer";

/**
 * Why a call failed: the closed set of reasons, which the table in coffer.proto explains. A reason is part of the
 * contract. It is never renamed, and its meaning never changes.
 */
export type Reason =
  // The request.
  | "MALFORMED_REQUEST"
  | "INVALID_FIELD"
  | "LIMIT_EXCEEDED"
  | "INVALID_PAGE_TOKEN"
  | "REQUEST_ID_REUSED"
  // The caller.
  | "SVID_EXPIRED"
  | "ACCESS_DENIED"
  | "BUDGET_EXCEEDED"
  | "REQUEST_IDS_FULL"
  // The stored secret.
  | "SECRET_NOT_FOUND"
  | "VERSION_NOT_FOUND"
  | "VERSION_DELETED"
  | "VERSION_DESTROYED"
  | "VERSION_EXPIRED"
  | "WATCH_NOT_FOUND"
  | "KEY_NOT_FOUND"
  | "VERSION_MISMATCH"
  | "CAS_REQUIRED"
  | "NOT_CONVERGED"
  | "CONTENT_UNREADABLE"
  // Committing a change.
  | "CONTENTION"
  | "STORE_FULL"
  | "DISK_FULL"
  | "QUEUE_FULL"
  | "OUTCOME_UNKNOWN"
  // The server.
  | "ANSWER_TOO_LARGE"
  | "REVISION_AHEAD"
  | "SHUTTING_DOWN"
  | "DEADLINE_EXCEEDED"
  | "INTERNAL";

/** Whether a change that failed was applied. Calls that read never change anything. */
export type Applied = "no" | "unknown";

/** Whether a change that failed with this reason was applied. A test compares it with the table in coffer.proto. */
export const APPLIED: Readonly<Record<Reason, Applied>> = {
  MALFORMED_REQUEST: "no",
  INVALID_FIELD: "no",
  LIMIT_EXCEEDED: "no",
  INVALID_PAGE_TOKEN: "no",
  REQUEST_ID_REUSED: "no",
  SVID_EXPIRED: "no",
  ACCESS_DENIED: "no",
  BUDGET_EXCEEDED: "no",
  REQUEST_IDS_FULL: "no",
  SECRET_NOT_FOUND: "no",
  VERSION_NOT_FOUND: "no",
  VERSION_DELETED: "no",
  VERSION_DESTROYED: "no",
  VERSION_EXPIRED: "no",
  WATCH_NOT_FOUND: "no",
  KEY_NOT_FOUND: "no",
  VERSION_MISMATCH: "no",
  CAS_REQUIRED: "no",
  NOT_CONVERGED: "no",
  CONTENT_UNREADABLE: "no",
  CONTENTION: "no",
  STORE_FULL: "no",
  DISK_FULL: "no",
  QUEUE_FULL: "no",
  OUTCOME_UNKNOWN: "unknown",
  ANSWER_TOO_LARGE: "no",
  REVISION_AHEAD: "no",
  SHUTTING_DOWN: "no",
  DEADLINE_EXCEEDED: "unknown",
  INTERNAL: "unknown",
};

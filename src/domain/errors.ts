import type { Reason } from "../contract/reasons.ts";

/** Facts about a failure that a program can act on, such as `field`, `limit` or `latest_version`. Never a value. */
export type ErrorMetadata = Readonly<Record<string, string>>;

/** What a {@link CofferError} may carry beside its reason, message and metadata. */
export interface CofferErrorOptions extends ErrorOptions {
  /** After how many milliseconds the same call may succeed. Sent as google.rpc.RetryInfo. */
  readonly retryDelayMs?: number;
}

/**
 * The one error that crosses rooms on purpose. `message` is what the caller is told; `cause` is for the log only, and
 * no part of it ever reaches a caller. Anything else that is thrown is a fault of ours and becomes INTERNAL.
 */
export class CofferError extends Error {
  override readonly name = "CofferError";
  readonly reason: Reason;
  readonly metadata: ErrorMetadata;
  /** See {@link CofferErrorOptions}. */
  readonly retryDelayMs: number | undefined;

  constructor(reason: Reason, message: string, metadata: ErrorMetadata = {}, options: CofferErrorOptions = {}) {
    super(message, options);
    this.reason = reason;
    this.metadata = metadata;
    this.retryDelayMs = options.retryDelayMs;
  }
}

// ---- when a request is read

/** The bytes are no message of the type that the method takes. `field` is the one that could not be read, if any. */
export function malformedRequest(problem: string, field?: string): CofferError {
  const metadata = field === undefined ? {} : { field };
  return new CofferError("MALFORMED_REQUEST", `the request can't be read: ${problem}`, metadata);
}

/** A field breaks a rule; `problem` completes the sentence that its name begins. */
export function invalidField(field: string, problem: string): CofferError {
  return new CofferError("INVALID_FIELD", `${field} ${problem}`, { field });
}

/**
 * A field is longer, larger or more than it may be. `field` is one that the request has; `subject` says what of it
 * exceeds the limit, where that is a part of the field or more than it.
 */
export function limitExceeded(
  field: string,
  limit: number,
  unit: string,
  actual: number,
  subject: string = field,
): CofferError {
  const message = `${subject} has ${actual} ${unit}, more than the limit of ${limit}`;
  return new CofferError("LIMIT_EXCEEDED", message, { field, limit: String(limit) });
}

/** A field has more elements than it may have; the rest of them was not looked at. */
export function tooManyElements(field: string, limit: number): CofferError {
  const message = `${field} has more elements than the limit of ${limit}`;
  return new CofferError("LIMIT_EXCEEDED", message, { field, limit: String(limit) });
}

/** One message for a token that was altered and one that is somebody else's: telling them apart would be an oracle. */
export function invalidPageToken(): CofferError {
  const message = "page_token is damaged, or was made for another caller or another prefix";
  return new CofferError("INVALID_PAGE_TOKEN", message, { field: "page_token" });
}

// ---- when the caller is authorized

/** The proof of the handshake has run out: whoever holds the key may no longer be who the SVID names. */
export function svidExpired(): CofferError {
  return new CofferError("SVID_EXPIRED", "the X.509-SVID of this connection has expired; connect with a newer one");
}

/** The same answer whether or not the secret exists, or a denied caller could probe for names. */
export function accessDenied(action: string, target: string): CofferError {
  return new CofferError("ACCESS_DENIED", `no rule allows the caller to ${action} ${target}`, { action });
}

/** The caller's SPIFFE ID is the server's own: it could pose as the server, and no rule applies to it. */
export function callerIsServer(action: string, id: string): CofferError {
  const message = `the caller has the server's own SPIFFE ID, ${id}, with which nothing is allowed; give each an ID of its own`;
  return new CofferError("ACCESS_DENIED", message, { action });
}

/** What the connections of one SPIFFE ID share: bytes received and not yet sent, unfinished requests, and calls. */
export type Budgeted = "bytes" | "unread" | "calls";

const BUDGET_UNITS: Readonly<Record<Budgeted, string>> = {
  bytes: "bytes in flight",
  unread: "unfinished requests",
  calls: "calls in flight",
};

/** The SPIFFE ID of the caller uses as much as it may: `limit`. Its calls that end make room again. */
export function budgetExceeded(budget: Budgeted, limit: number, retryDelayMs: number): CofferError {
  const message = `one SPIFFE ID may have ${limit} ${BUDGET_UNITS[budget]}; nothing was applied, try again later`;
  return new CofferError("BUDGET_EXCEEDED", message, { budget, limit: String(limit) }, { retryDelayMs });
}

// ---- when a secret is looked up or changed

/** No version of this path was ever written. A secret whose versions are all deleted is still there. */
export function secretNotFound(path: string): CofferError {
  return new CofferError("SECRET_NOT_FOUND", `there is no secret at ${path}`, { path });
}

/** The number was never given out, or the version was pruned: a caller can't tell which, and need not. */
export function versionNotFound(path: string, version: number): CofferError {
  const message = `version ${version} of ${path} was never written or is no longer retained`;
  return new CofferError("VERSION_NOT_FOUND", message, { path, version: String(version) });
}

/** The version is there, and marked as deleted. For a question for the newest, `version` is the number of that one. */
export function versionDeleted(path: string, version: number): CofferError {
  const message = `version ${version} of ${path} is deleted`;
  return new CofferError("VERSION_DELETED", message, { path, version: String(version) });
}

/** The caller's picture of the secret is out of date: it reads `latest_version` and decides again. */
export function versionMismatch(path: string, expected: number, latest: number): CofferError {
  const message = `expected_version is ${expected} but the latest version of ${path} is ${latest}`;
  return new CofferError("VERSION_MISMATCH", message, { path, latest_version: String(latest) });
}

/** The sealed bytes were altered, or moved here from another path, version or store. */
export function contentUnreadable(path: string, version: number, cause: unknown): CofferError {
  const message = `the stored content of version ${version} of ${path} can't be opened`;
  return new CofferError("CONTENT_UNREADABLE", message, { path, version: String(version) }, { cause });
}

// ---- when a change is committed

/** Each attempt to commit found that other replicas had been faster. Repeating it is safe and may succeed. */
export function contention(): CofferError {
  return new CofferError("CONTENTION", "other replicas kept changing the store; nothing was applied, try again");
}

/**
 * The Put would need more memory than the store may take: `limit`, in bytes. A Delete is never refused for this, and makes
 * no room: the versions that it marks are kept until later Puts of the same secret prune them.
 */
export function storeFull(limit: number): CofferError {
  const room = "a higher --max-store-bytes makes room, or smaller Puts of secrets with ten versions; a Delete does not";
  const message = `the store has reached its limit of ${limit} bytes; nothing was applied; ${room}`;
  return new CofferError("STORE_FULL", message, { limit: String(limit) });
}

/**
 * There is no room for the commit: `needed` bytes, of which the file system has `free`, or more than a quota leaves.
 * `cause` is what the journal said.
 */
export function diskFull({ free, needed }: { free: number; needed: number }, cause: unknown): CofferError {
  const room = `the commit may take ${needed} bytes, of which ${free} are free${free >= needed ? " but a quota is used up" : ""}`;
  const metadata = { free_bytes: String(free), needed_bytes: String(needed) };
  return new CofferError("DISK_FULL", `the server's disk is full: ${room}; nothing was applied`, metadata, { cause });
}

/** A COMMIT that throws is not a commit that failed: after a restart the change may be there. */
export function outcomeUnknown(cause: unknown): CofferError {
  const message = "the commit failed in a way that leaves its outcome unknown; read before you repeat";
  return new CofferError("OUTCOME_UNKNOWN", message, {}, { cause });
}

/** The caller has left, or its time is over. No caller reads this: it ends work that has become useless. */
export function callOver(): CofferError {
  return new CofferError("DEADLINE_EXCEEDED", "the call ended before its answer was found");
}

// ---- when the server can't take the call

/** Nothing new is begun any more. Another replica, or this one after its restart, can take the call. */
export function shuttingDown(): CofferError {
  return new CofferError("SHUTTING_DOWN", "the server is shutting down; nothing was applied");
}

/** The rest of the request did not come in time. Nothing of it was looked at. */
export function requestIncomplete(limitMs: number): CofferError {
  return new CofferError("DEADLINE_EXCEEDED", `the request was not complete after ${limitMs} ms; nothing was applied`);
}

/** The server's own limit for callers that set no deadline, in milliseconds. The change may yet be committed. */
export function deadlineExceeded(limitMs: number): CofferError {
  return new CofferError("DEADLINE_EXCEEDED", `the call took longer than ${limitMs} ms; a change may be applied`);
}

import type { Reason } from "../contract/reasons.ts";

/**
 * Facts about a failure that a program can act on, such as `field`, `limit` or `latest_version`. Never a secret value.
 */
export type ErrorMetadata = Readonly<Record<string, string>>;

/** The options of a {@link CofferError}. */
export interface CofferErrorOptions extends ErrorOptions {
  /** How many milliseconds to wait before repeating the call. Sent as google.rpc.RetryInfo. */
  readonly retryDelayMs?: number;
}

/**
 * The expected failure of a call. It is the only error that modules throw to each other on purpose. The caller receives
 * `message`. `cause` is for the log only and never reaches a caller. Any other error that is thrown is a bug in Coffer,
 * and the caller gets INTERNAL.
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

// ---- reading a request

/** The bytes are not a message of the method's request type. `field` is the field that could not be read, if known. */
export function malformedRequest(problem: string, field?: string): CofferError {
  const metadata = field === undefined ? {} : { field };
  return new CofferError("MALFORMED_REQUEST", `the request can't be read: ${problem}`, metadata);
}

/** A field violates a rule. The message is the field's name followed by `problem`. */
export function invalidField(field: string, problem: string): CofferError {
  return new CofferError("INVALID_FIELD", `${field} ${problem}`, { field });
}

/**
 * A field exceeds a limit on its size or on its number of elements. `field` is the name of a field of the request. `subject` describes
 * what exceeds the limit, if it is only a part of the field, or more than the field.
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

/** A field has more elements than the limit. The server did not read the elements beyond it. */
export function tooManyElements(field: string, limit: number): CofferError {
  const message = `${field} has more elements than the limit of ${limit}`;
  return new CofferError("LIMIT_EXCEEDED", message, { field, limit: String(limit) });
}

/** The same message for an altered token and for another caller's token: distinguishing them would be an oracle. */
export function invalidPageToken(): CofferError {
  const message = "page_token is damaged, or was made for another caller or another query";
  return new CofferError("INVALID_PAGE_TOKEN", message, { field: "page_token" });
}

/** The caller has used the request_id for another request. */
export function requestIdReused(): CofferError {
  const message = "request_id was used for another request within the last 24 hours; choose a new one for each change";
  return new CofferError("REQUEST_ID_REUSED", message, { field: "request_id" });
}

// ---- authorizing the caller

/** The SVID that was verified in the handshake has expired, so it no longer proves the caller's identity. */
export function svidExpired(): CofferError {
  return new CofferError("SVID_EXPIRED", "the X.509-SVID of this connection has expired; connect with a newer one");
}

/** The bundles no longer verify the SVID of a connection: its trust domain was removed, or its CA. */
export function noLongerTrusted(id: string): CofferError {
  return new CofferError("ACCESS_DENIED", `the server no longer trusts the X.509-SVID of ${id}`);
}

/** The same error whether or not the secret exists. Otherwise a denied caller could probe for names. */
export function accessDenied(action: string, target: string): CofferError {
  return new CofferError("ACCESS_DENIED", `no rule allows the caller to ${action} ${target}`, { action });
}

/**
 * The caller has the server's own SPIFFE ID, so it could impersonate the server. No rule of the policy applies to it.
 */
export function callerIsServer(action: string, id: string): CofferError {
  const message = `the caller has the server's own SPIFFE ID, ${id}, which is never allowed any action; give the caller and the server different SPIFFE IDs`;
  return new CofferError("ACCESS_DENIED", message, { action });
}

/**
 * A resource of a SPIFFE ID's budget: the bytes of its requests and unsent responses, its unfinished requests, its
 * calls.
 */
export type Budgeted = "bytes" | "unread" | "calls";

const BUDGET_UNITS: Readonly<Record<Budgeted, string>> = {
  bytes: "bytes in flight",
  unread: "unfinished requests",
  calls: "calls in flight",
};

/** The caller's SPIFFE ID has reached `limit`. When a call of that SPIFFE ID ends, it frees a part of the budget. */
export function budgetExceeded(budget: Budgeted, limit: number, retryDelayMs: number): CofferError {
  const message = `one SPIFFE ID may have at most ${limit} ${BUDGET_UNITS[budget]}; nothing was applied; retry later`;
  return new CofferError("BUDGET_EXCEEDED", message, { budget, limit: String(limit) }, { retryDelayMs });
}

/**
 * The server keeps `limit` request_ids of this caller. It does not forget one of them for a new one, because the
 * request of a forgotten id could be applied a second time.
 */
export function requestIdsFull(limit: number): CofferError {
  const advice = "repeat the call without request_id, or later";
  const message = `the server keeps ${limit} request_ids of this caller, which is the maximum; nothing was applied; ${advice}`;
  return new CofferError("REQUEST_IDS_FULL", message, { limit: String(limit) });
}

/** The store has reached its limit in bytes, and the answer to a change that removes something can't be remembered. */
export function noSpaceForRequestId(limit: number): CofferError {
  const message = `the store has reached its limit of ${limit} bytes and has no space for a request_id; nothing was applied; repeat the call without request_id`;
  return new CofferError("REQUEST_IDS_FULL", message, { limit: String(limit) });
}

// ---- finding or changing a secret

/** The secret was never written, or it was purged. A secret whose versions are all deleted still exists. */
export function secretNotFound(path: string): CofferError {
  return new CofferError("SECRET_NOT_FOUND", `there is no secret at ${path}`, { path });
}

/** The version was never written, or it was pruned. The error does not distinguish the two. */
export function versionNotFound(path: string, version: number): CofferError {
  const message = `version ${version} of ${path} was never written or is no longer retained`;
  return new CofferError("VERSION_NOT_FOUND", message, { path, version: String(version) });
}

/** The version exists and is deleted. If the caller asked for the newest version, `version` is its number. */
export function versionDeleted(path: string, version: number): CofferError {
  const message = `version ${version} of ${path} is deleted`;
  return new CofferError("VERSION_DELETED", message, { path, version: String(version) });
}

/** The content of the version was removed permanently. */
export function versionDestroyed(path: string, version: number): CofferError {
  const message = `version ${version} of ${path} is destroyed`;
  return new CofferError("VERSION_DESTROYED", message, { path, version: String(version) });
}

/** The version has expired at `expireTime`, in milliseconds since the epoch. */
export function versionExpired(path: string, version: number, expireTime: number): CofferError {
  const time = new Date(expireTime).toISOString();
  const message = `version ${version} of ${path} expired at ${time}`;
  return new CofferError("VERSION_EXPIRED", message, { path, version: String(version), expire_time: time });
}

/** The version can be read, and does not have the key. */
export function keyNotFound(path: string, version: number, key: string): CofferError {
  const message = `version ${version} of ${path} does not have the key ${JSON.stringify(key)}`;
  return new CofferError("KEY_NOT_FOUND", message, { path, version: String(version), key });
}

/** The secret has changed since the caller read it. The caller reads `latest_version` and decides again. */
export function versionMismatch(path: string, expected: number, latest: number): CofferError {
  const message = `expected_version is ${expected} but the latest version of ${path} is ${latest}`;
  return new CofferError("VERSION_MISMATCH", message, { path, latest_version: String(latest) });
}

/** The secret has cas_required, and the request does not say which version it replaces. */
export function casRequired(path: string): CofferError {
  const message = `${path} has cas_required; set expected_version`;
  return new CofferError("CAS_REQUIRED", message, { path });
}

/** The sealed bytes were altered, or copied from another path, version or store. */
export function contentUnreadable(path: string, version: number, cause: unknown): CofferError {
  const message = `the stored content of version ${version} of ${path} can't be opened`;
  return new CofferError("CONTENT_UNREADABLE", message, { path, version: String(version) }, { cause });
}

// ---- committing a change

/** In each attempt to commit, another replica had committed first. Retrying is safe and may succeed. */
export function contention(): CofferError {
  return new CofferError("CONTENTION", "other replicas changed the store at the same time; nothing was applied; retry");
}

/**
 * The Put would make the store larger than `limit`, in bytes of memory. A Delete is never refused for this reason. It
 * also frees no memory: a deleted version is retained until later Puts of the same secret prune it.
 */
export function storeFull(limit: number): CofferError {
  const advice =
    "raise --max-store-bytes, or free space with Destroy or Purge; a Delete frees none; a Put that prunes an old version of at least its size still succeeds";
  const message = `the store has reached its limit of ${limit} bytes; nothing was applied; ${advice}`;
  return new CofferError("STORE_FULL", message, { limit: String(limit) });
}

/**
 * The disk is too full for the commit: the commit may take `needed` bytes and the file system has `free`, or a quota
 * allows fewer. `cause` is the error of the journal.
 */
export function diskFull({ free, needed }: { free: number; needed: number }, cause: unknown): CofferError {
  const space = `the commit may take ${needed} bytes, and ${free} are free${free >= needed ? ", but a quota is used up" : ""}`;
  const metadata = { free_bytes: String(free), needed_bytes: String(needed) };
  return new CofferError("DISK_FULL", `the server's disk is full: ${space}; nothing was applied`, metadata, { cause });
}

/**
 * Too many changes wait for a commit, because the disk is slow or stalls. A later attempt may succeed.
 */
export function queueFull(retryDelayMs: number): CofferError {
  const message = "too many changes wait for the disk; nothing was applied; retry later";
  return new CofferError("QUEUE_FULL", message, {}, { retryDelayMs });
}

/** A COMMIT has thrown. The change may still be on disk, so it may be present after a restart. */
export function outcomeUnknown(cause: unknown): CofferError {
  const message = "the commit failed and its outcome is unknown; read the secret before you retry";
  return new CofferError("OUTCOME_UNKNOWN", message, {}, { cause });
}

/**
 * A change that destroys content is committed, but the disk is too full to remove the content from the log. The next
 * change that destroys content, or a repetition of this one, removes it.
 */
export function erasureUnknown(): CofferError {
  const message = "the change was made, but the removed content may still be in the server's log; repeat the call";
  return new CofferError("OUTCOME_UNKNOWN", message);
}

/**
 * The caller has cancelled the call, or its deadline has passed. This error ends work that is no longer needed. No
 * caller receives it.
 */
export function callOver(): CofferError {
  return new CofferError("DEADLINE_EXCEEDED", "the call ended before its answer was found");
}

// ---- when the server can't serve the call

/** The entries before this one fill the answer of a BatchGet. */
export function answerTooLarge(limit: number): CofferError {
  const message = `the answer has at most ${limit} bytes, and the entries before this one fill it; read this path in another call`;
  return new CofferError("ANSWER_TOO_LARGE", message, { limit: String(limit) });
}

/** The store has not reached the revision that the caller has seen, for example after a rollback to a backup. */
export function revisionAhead(revision: number): CofferError {
  const message = `the server has not reached min_revision; its revision is ${revision}; retry, or use another server`;
  return new CofferError("REVISION_AHEAD", message, { revision: String(revision) });
}

/** The server starts no new work. Another server, or this one after its restart, can serve the call. */
export function shuttingDown(): CofferError {
  return new CofferError("SHUTTING_DOWN", "the server is shutting down; nothing was applied");
}

/** The request did not arrive completely in time. The server has not processed any of it. */
export function requestIncomplete(limitMs: number): CofferError {
  return new CofferError("DEADLINE_EXCEEDED", `the request was not complete after ${limitMs} ms; nothing was applied`);
}

/**
 * The call exceeded the server's limit for callers without a deadline, in milliseconds. A change may still be
 * committed.
 */
export function deadlineExceeded(limitMs: number): CofferError {
  return new CofferError("DEADLINE_EXCEEDED", `the call took longer than ${limitMs} ms; a change may be applied`);
}

import { APPLIED, type Reason } from "../contract/reasons.ts";
import type { ClientError } from "./client-error.ts";
import type { ConnectionFailure } from "./connection-failure.ts";

/**
 * Which calls may be repeated, by the table of errors in coffer.proto. A service config can't express it: gRPC decides
 * only by the code, and UNAVAILABLE is also the code of a connection that failed during a Put.
 */

/** The reasons after which the same call may succeed later, or at another server. No such call was applied. */
const TEMPORARY_REASONS: ReadonlySet<Reason> = new Set([
  "SHUTTING_DOWN",
  "BUDGET_EXCEEDED",
  "CONTENTION",
  "QUEUE_FULL",
  "SVID_EXPIRED",
  "REVISION_AHEAD",
]);

type FailureKind = ConnectionFailure["kind"];

/** The failures in which no verified server received the call. */
const NOT_SENT: ReadonlySet<FailureKind> = new Set([
  "unreachable",
  "handshake-failed",
  "untrusted-server",
  "wrong-server",
  "closed-at-once",
]);

/** The failures that a start or restart of the server, or the first message of the Workload API, can end. */
const NOT_READY: ReadonlySet<FailureKind> = new Set([
  "no-identity",
  "unreachable",
  "handshake-failed",
  "closed-at-once",
]);

/** The codes with which grpc-js and proxies report a connection that ended during a call. */
const BROKEN: ReadonlySet<ClientError["code"]> = new Set(["UNAVAILABLE", "ABORTED", "CANCELLED", "UNKNOWN"]);

/**
 * Whether the same call may be made again after this error, and may then succeed. `hasRequestId`: the server applies
 * the call once, however often it is made.
 */
export function mayRepeat(error: ClientError, waitForReady: boolean, hasRequestId: boolean): boolean {
  if (error.applied === "unknown") return hasRequestId && isOutcomeUnknown(error);
  return mayPass(error) && (waitForReady || !isNotReady(error));
}

/**
 * Whether the contract says that the outcome is unknown. False for a reason that this release does not know: the newer
 * server may refuse every repetition.
 */
function isOutcomeUnknown({ reason }: ClientError): boolean {
  return reason === undefined || APPLIED[reason] === "unknown";
}

/**
 * Whether this error of a repeated change proves that no earlier attempt with the same request_id was applied. The
 * server looks the request_id up first, and the version numbers of a secret do not decrease, also after a Purge while
 * its tombstone is kept. Other refusals prove nothing: some are made before the request_id is looked up, and an earlier
 * attempt may still be in progress.
 */
export function provesNotApplied({ reason }: ClientError): boolean {
  return reason === "VERSION_MISMATCH";
}

/** Whether the failure may be temporary. Independent of whether the call was applied. */
export function mayPass({ code, reason, failure, message }: ClientError): boolean {
  if (reason !== undefined) return TEMPORARY_REASONS.has(reason);
  if (failure === undefined) return BROKEN.has(code) || (code === "INTERNAL" && message.includes("RST_STREAM"));
  // The code is FAILED_PRECONDITION if the identity source has failed, because waiting then does not help.
  if (NOT_READY.has(failure.kind)) return code === "UNAVAILABLE";
  return failure.kind === "broken" || failure.kind === "no-answer";
}

/** Whether the call may be made at another server immediately. */
export function mayGoElsewhere(error: ClientError): boolean {
  return error.applied === "no" && isServerGone(error);
}

/** Whether the server is not expected to accept the next call. */
export function isServerGone({ reason, failure }: ClientError): boolean {
  if (failure === undefined) return reason === "SHUTTING_DOWN";
  return NOT_SENT.has(failure.kind) || failure.kind === "broken" || failure.kind === "no-answer";
}

function isNotReady({ failure }: ClientError): boolean {
  return failure !== undefined && NOT_READY.has(failure.kind);
}

// Milliseconds. The first pause is about the time of a failed attempt. The longest bounds the time until callers return
// to a server that is available again.
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1000;

/**
 * The pause before the next attempt, in milliseconds. It doubles each time, and varies by a quarter, so that the
 * clients of a restarted server do not all return together. It is never shorter than the delay that the server sent.
 */
export function pauseMs(failedAttempts: number, retryDelayMs: number | undefined, random: () => number): number {
  const longest = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (failedAttempts - 1));
  return Math.max(retryDelayMs ?? 0, longest * (0.75 + random() / 2));
}

/** The codes after which the same watch can't succeed: an option is wrong, or the server has no Watch. */
const FINAL: ReadonlySet<ClientError["code"]> = new Set(["INVALID_ARGUMENT", "UNIMPLEMENTED", "FAILED_PRECONDITION"]);

/**
 * Whether a watch that failed may succeed later. Unlike a call, a watch also waits for changes of policies, bundles and
 * SVIDs.
 */
export function watchMayPass({ code }: ClientError): boolean {
  return !FINAL.has(code);
}

// Milliseconds. A server that restarts loses all its watchers at once, so they return over a longer time than calls.
const FIRST_WATCH_PAUSE_MS = 200;
const LONGEST_WATCH_PAUSE_MS = 5000;

/**
 * The pause before a watch connects again, in milliseconds: between a tenth and all of a time that doubles with each
 * failure. It is never shorter than the delay that the server sent.
 */
export function watchPauseMs(failures: number, retryDelayMs: number | undefined, random: () => number): number {
  const longest = Math.min(LONGEST_WATCH_PAUSE_MS, FIRST_WATCH_PAUSE_MS * 2 ** (failures - 1));
  return Math.max(retryDelayMs ?? 0, longest * (0.1 + 0.9 * random()));
}

import type { Reason } from "../contract/reasons.ts";
import type { ClientError } from "./client-error.ts";
import type { ConnectionFailure } from "./connection-failure.ts";

/**
 * What may be repeated, by the table of errors in coffer.proto. A service config can't say it: gRPC repeats by the code
 * alone, and UNAVAILABLE is also the code of a connection that broke under a Put.
 */

/** The reasons with which the same call may succeed a moment later, or at another server. None of these was applied. */
const PASSING_REASONS: ReadonlySet<Reason> = new Set([
  "SHUTTING_DOWN",
  "BUDGET_EXCEEDED",
  "CONTENTION",
  "SVID_EXPIRED",
]);

type FailureKind = ConnectionFailure["kind"];

/** No verified server received the call. It was not sent. */
const NEVER_TAKEN: ReadonlySet<FailureKind> = new Set([
  "unreachable",
  "handshake-failed",
  "untrusted-server",
  "wrong-server",
  "closed-at-once",
]);

/** The failures that end with a start or a restart of the server, or with the first message of the Workload API. */
const NOT_READY: ReadonlySet<FailureKind> = new Set([
  "no-identity",
  "unreachable",
  "handshake-failed",
  "closed-at-once",
]);

/** How grpc-js reports a connection that ended under a call, beside UNAVAILABLE. */
const BROKEN: ReadonlySet<ClientError["code"]> = new Set(["UNAVAILABLE", "ABORTED", "CANCELLED", "UNKNOWN"]);

/** Whether the same call may be made again after this error, and may then succeed. */
export function mayRepeat(error: ClientError, waitForReady: boolean): boolean {
  if (error.applied === "unknown") return false;
  return mayPass(error) && (waitForReady || !isNotReady(error));
}

/** Whether the failure may end by itself. It says nothing about whether the call was applied. */
export function mayPass({ code, reason, failure, message }: ClientError): boolean {
  if (reason !== undefined) return PASSING_REASONS.has(reason);
  if (failure === undefined) return BROKEN.has(code) || (code === "INTERNAL" && message.includes("RST_STREAM"));
  // An identity that will never come is FAILED_PRECONDITION.
  if (NOT_READY.has(failure.kind)) return code === "UNAVAILABLE";
  return failure.kind === "broken" || failure.kind === "no-answer";
}

/** Whether the call may be made at another server at once. */
export function mayGoElsewhere(error: ClientError): boolean {
  return error.applied === "no" && isServerGone(error);
}

/** Whether the server can't be expected to take the next call. */
export function isServerGone({ reason, failure }: ClientError): boolean {
  if (failure === undefined) return reason === "SHUTTING_DOWN";
  return NEVER_TAKEN.has(failure.kind) || failure.kind === "broken" || failure.kind === "no-answer";
}

function isNotReady({ failure }: ClientError): boolean {
  return failure !== undefined && NOT_READY.has(failure.kind);
}

// Milliseconds. The first pause is about what a failed attempt takes; the last bounds what a server that is back has to
// wait for its callers.
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1000;

/**
 * How long to pause before the next attempt, in milliseconds: twice as long each time, and spread by a quarter, so that
 * the clients of a server that was restarted do not return all at once. What the server asked for is the least.
 */
export function pauseMs(failedAttempts: number, retryDelayMs: number | undefined, random: () => number): number {
  const longest = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (failedAttempts - 1));
  return Math.max(retryDelayMs ?? 0, longest * (0.75 + random() / 2));
}

import type { ClientError } from "./client-error.ts";

/** Reasons of the server's that leave open whether a change was applied (coffer.proto, "Errors"). */
const UNKNOWN_REASONS: readonly string[] = ["OUTCOME_UNKNOWN", "DEADLINE_EXCEEDED", "INTERNAL"];

/** Codes that leave it open when neither a reason nor a failure of the connection says more. */
const UNKNOWN_CODES: readonly string[] = ["CANCELLED", "UNKNOWN", "DEADLINE_EXCEEDED", "INTERNAL", "UNAVAILABLE"];

/** Failures of the connection before which the call may have been sent. */
const SENT: readonly string[] = ["broken", "closed-at-once"];

/** Whether a Put or a Delete that has failed so may be in the store all the same. False only where that is certain. */
export function mayBeApplied({ code, reason, failure }: ClientError): boolean {
  if (failure?.kind === "no-answer") return failure.wasSent;
  if (failure !== undefined) return SENT.includes(failure.kind);
  return reason === undefined ? UNKNOWN_CODES.includes(code) : UNKNOWN_REASONS.includes(reason);
}

import { ClientError } from "../client/client-error.ts";
import type { Reason } from "../contract/reasons.ts";
import { processTimers } from "../domain/timers.ts";
import { type ProgressOutput, withProgress } from "./progress.ts";

/**
 * Makes a call that changes a secret, and shows its progress. If it fails with a {@link ClientError}, adds a line to the
 * message: that nothing was changed, or that this is unknown, and what to do.
 */
export async function change<Response>(
  { stderr }: { readonly stderr: ProgressOutput },
  call: () => Promise<Response>,
): Promise<Response> {
  try {
    return await withProgress(waiting, { output: stderr, timers: processTimers }, call);
  } catch (error) {
    if (!(error instanceof ClientError)) throw error;
    const { code, message } = error;
    throw new ClientError(code, `${message}\n${consequence(error)}`, detailsOf(error), { cause: error });
  }
}

const waiting = (seconds: number) => `waiting for the server to commit the change: ${seconds} s`;

function consequence({ applied, reason, requestId }: ClientError): string {
  if (applied === "no") return ADVICE.get(reason) ?? "nothing was changed";
  const again = requestId === undefined ? "retry with --expected-version" : `retry with --request-id ${requestId}`;
  return `the change may have been applied: check with coffer describe, or ${again}`;
}

/** What to do about a change that was refused. */
const ADVICE: ReadonlyMap<Reason | undefined, string> = new Map([
  ["CAS_REQUIRED", "nothing was changed: see the latest version with coffer describe, and use --expected-version"],
  ["NOT_CONVERGED", "nothing was changed: see the watchers with coffer describe"],
]);

function detailsOf({ reason, metadata, failure, retryDelayMs, applied, requestId }: ClientError) {
  return { metadata, retryDelayMs, applied, requestId, ...(reason && { reason }), ...(failure && { failure }) };
}

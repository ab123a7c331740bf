import { setTimeout as sleep } from "node:timers/promises";
import { ClientError } from "../client/client-error.ts";
import { ExitCode, exitCodeOf } from "./exit-code.ts";

const PAUSE_MS = 1000;

/**
 * Calls `attempt` until it succeeds, for at most `waitMs` milliseconds. Retries only while the secret does not exist,
 * the server does not respond or the client has no identity yet, as at the start of a deployment. Throws the last
 * error.
 */
export async function untilAvailable<T>(attempt: () => Promise<T>, waitMs: number): Promise<T> {
  const end = performance.now() + waitMs;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      const rest = end - performance.now();
      if (rest <= 0 || !mayBecomeAvailable(error)) throw error;
      await sleep(Math.min(PAUSE_MS, rest));
    }
  }
}

/** A missing key is not waited for: the secret exists, and the name of the key is probably mistyped. */
function mayBecomeAvailable(error: unknown): boolean {
  if (!(error instanceof ClientError) || error.reason === "KEY_NOT_FOUND") return false;
  if (error.failure?.kind === "no-identity") return true;
  const code = exitCodeOf(error);
  return code === ExitCode.notFound || code === ExitCode.unavailable;
}

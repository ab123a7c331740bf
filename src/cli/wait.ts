import { setTimeout as sleep } from "node:timers/promises";
import { ClientError } from "../client/client-error.ts";
import { ExitCode, exitCodeOf } from "./exit-code.ts";

const PAUSE_MS = 1000;

/**
 * Calls `attempt` until it succeeds, for `waitMs` milliseconds at most, as long as it fails because the secret is not
 * there, the server does not answer or we have no identity yet: so a deployment begins. Throws the last error.
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

function mayBecomeAvailable(error: unknown): boolean {
  if (error instanceof ClientError && error.failure?.kind === "no-identity") return true;
  const code = exitCodeOf(error);
  return code === ExitCode.notFound || code === ExitCode.unavailable;
}

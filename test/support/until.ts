import { setTimeout as pause } from "node:timers/promises";
import { PATIENCE_MS } from "./patience.ts";

/** How long to wait between two checks, in milliseconds. */
const PAUSE_MS = 20;

/** Checks repeatedly until there is a result, and returns it. `what` completes the error "timed out after … ms, before …". */
export async function until<T>(what: string, look: () => Promise<T | undefined | false> | T | undefined | false) {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const seen = await look();
    if (seen !== undefined && seen !== false) return seen;
    if (performance.now() > deadline) throw new Error(`timed out after ${PATIENCE_MS} ms, before ${what}`);
    await pause(PAUSE_MS);
  }
}

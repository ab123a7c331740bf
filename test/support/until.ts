import { setTimeout as pause } from "node:timers/promises";

/** Far more than anything here takes on a slow machine, in milliseconds. Whoever waits that long waits in vain. */
const LIMIT_MS = 120_000;

/** How long to leave the machine to the others between two looks, in milliseconds. */
const PAUSE_MS = 20;

/** Looks again and again until there is something to see, and answers it. `what` completes "waited in vain until". */
export async function until<T>(what: string, look: () => Promise<T | undefined | false> | T | undefined | false) {
  const deadline = performance.now() + LIMIT_MS;
  for (;;) {
    const seen = await look();
    if (seen !== undefined && seen !== false) return seen;
    if (performance.now() > deadline) throw new Error(`waited in vain until ${what}`);
    await pause(PAUSE_MS);
  }
}

import { constants } from "node:os";
import type { World } from "./world.ts";

/**
 * Ends the process at once. The kernel drops what the first process of a container sends to itself, SIGKILL too
 * (pid_namespaces(7)): it would live on, and pass its probes, with a store that takes nothing. An exit code ends it. No
 * hook of better-sqlite3 runs on the way, as it would where Node runs out of work.
 */
export function die(world: World): void {
  world.kill(world.pid, "SIGKILL");
  world.exit(128 + constants.signals.SIGKILL);
}

/** Resolves with the first SIGTERM or SIGINT. A second one exits at once, with the status that shells have for it. */
export function stopSignal(world: World): Promise<string> {
  return new Promise((resolve) => {
    let received = false;
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      world.on(signal, () => {
        if (received) world.exit(128 + constants.signals[signal]);
        received = true;
        resolve(signal);
      });
    }
  });
}

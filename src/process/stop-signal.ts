import { constants } from "node:os";
import type { World } from "./world.ts";

/**
 * Ends the process immediately. The kernel ignores signals that process 1 of a container sends to itself, even SIGKILL
 * (pid_namespaces(7)). Such a process would continue and pass its probes, with a store that accepts no changes, so
 * exit() ends it. The process must not end by running out of work: a hook of better-sqlite3 would then close the
 * database.
 */
export function die(world: World): void {
  world.kill(world.pid, "SIGKILL");
  world.exit(128 + constants.signals.SIGKILL);
}

/**
 * Resolves with the first SIGTERM or SIGINT. A second one exits immediately, with the status that shells use for it.
 */
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

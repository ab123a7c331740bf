import { constants } from "node:os";
import type { ServeConfig } from "../app/config.ts";
import { unfixedNode } from "../app/node-line.ts";
import { probeNode } from "../app/node-probe.ts";
import { CofferServer } from "../app/server.ts";
import { processTimers } from "../domain/timers.ts";
import { createLogger } from "../observability/logger.ts";
import { closeDoors } from "./closed-doors.ts";
import { warnOfShortages } from "./shortages.ts";
import { describeUnknown, unknownVariables } from "./unknown-variables.ts";
import type { World } from "./world.ts";

/** Milliseconds for the last lines of the log to leave the process. */
const LAST_LINES_MS = 1000;

/**
 * Serves until SIGTERM or SIGINT, and ends in good order; a second one exits at once, which costs nothing that was
 * answered. SIGHUP has identity and policy looked for anew. Throws StartRefused.
 */
export async function serveUntilStopped(
  config: ServeConfig,
  world: World,
  onStarted: (server: CofferServer) => Promise<void> = async () => {},
): Promise<void> {
  const unknown = await unknownVariables(world.env);
  const log = createLogger(config.logLevel, world.stderr);
  const warnings = closeDoors(config.allowDebug, world, log);
  const server = new CofferServer(config, {
    log,
    timers: processTimers,
    die: () => die(world),
    probe: (signal) => probeNode(world, signal),
  });
  // Before the start: as a container's first process we would not even be ended by a signal that nobody listens to.
  world.on("SIGHUP", () => {
    log.info("signal received", { signal: "SIGHUP" });
    server.reload();
  });
  const stopped = stopSignal(world).then((signal) => {
    log.info("signal received", { signal });
    return server.stop();
  });
  // The first line of the log says what starts, and as whom. What else is worth knowing follows it.
  const started = server.start();
  for (const warn of warnings) warn(log);
  warnOfShortages(config, log);
  const unfixed = unfixedNode(world.version, processTimers.clock());
  if (unfixed !== undefined) log.warn("node without security fixes", { detail: unfixed });
  for (const variable of unknown) log.warn("unknown variable", { detail: describeUnknown(variable) });
  if ((await started) === "serving") await onStarted(server);
  await stopped;
  // A reader of the log that has stalled never takes the rest.
  const givenUp = new Promise<void>((resolve) => void processTimers.delay(LAST_LINES_MS, resolve));
  await Promise.race([log.flush(), givenUp]);
}

/**
 * Ends the process at once. The kernel drops what the first process of a container sends to itself, SIGKILL too
 * (pid_namespaces(7)): it would live on, and pass its probes, with a store that takes nothing. An exit code ends it. No
 * hook of better-sqlite3 runs on the way, as it would where Node runs out of work.
 */
function die(world: World): void {
  world.kill(world.pid, "SIGKILL");
  world.exit(128 + constants.signals.SIGKILL);
}

function stopSignal(world: World): Promise<string> {
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

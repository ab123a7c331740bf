import { unfixedNode } from "../app/node-line.ts";
import { probeNode } from "../app/node-probe.ts";
import { CofferServer } from "../app/server.ts";
import type { GivenFlags } from "../config/option.ts";
import { readServeConfig } from "../config/read-serve-config.ts";
import type { ServeConfig } from "../config/serve-config.ts";
import { processTimers } from "../domain/timers.ts";
import { createLogger } from "../observability/logger.ts";
import { closeDoors } from "../process/closed-doors.ts";
import { machineMemory } from "../process/machine-memory.ts";
import { warnOfShortages } from "../process/shortages.ts";
import { die, stopSignal } from "../process/stop-signal.ts";
import { describeUnknown, unknownVariables } from "./unknown-variables.ts";
import type { World } from "../process/world.ts";

/** Milliseconds for the last lines of the log to leave the process. */
const LAST_LINES_MS = 1000;

/** What `coffer serve` does. */
export async function runServer(flags: GivenFlags, world: World): Promise<void> {
  await serveUntilStopped(readServeConfig(flags, world.env, machineMemory()), world);
}

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

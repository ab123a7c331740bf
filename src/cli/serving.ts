import { unfixedNode } from "../app/node-line.ts";
import { probeNode } from "../app/node-probe.ts";
import { CofferServer } from "../app/server.ts";
import type { GivenFlags } from "../config/option.ts";
import { readServeConfig } from "../config/read-serve-config.ts";
import type { ServeConfig } from "../config/serve-config.ts";
import { processTimers } from "../domain/timers.ts";
import { createLogger } from "../observability/logger.ts";
import { hardenProcess } from "../process/hardening.ts";
import { thisMachine } from "../process/machine.ts";
import { warnOfShortages } from "../process/shortages.ts";
import { die, stopSignal } from "../process/stop-signal.ts";
import { describeUnknown, unknownVariables } from "./unknown-variables.ts";
import type { World } from "../process/world.ts";

/** How long to wait, in milliseconds, for the last log lines to be written. */
const LAST_LINES_MS = 1000;

/** Runs `coffer serve`. */
export async function runServer(flags: GivenFlags, world: World): Promise<void> {
  await serveUntilStopped(readServeConfig(flags, world.env, thisMachine()), world);
}

/**
 * Serves until SIGTERM or SIGINT, then shuts down gracefully. A second signal exits immediately; acknowledged writes
 * are durable. SIGHUP reloads identity and policy. Throws StartRefused.
 */
export async function serveUntilStopped(
  config: ServeConfig,
  world: World,
  onStarted: (server: CofferServer) => Promise<void> = async () => {},
): Promise<void> {
  const unknown = await unknownVariables(world.env);
  const log = createLogger(config.logLevel, world.stderr);
  const warnings = await hardenProcess(config.allowDebug, world, log);
  const server = new CofferServer(config, {
    log,
    timers: processTimers,
    die: () => die(world),
    probe: (signal) => probeNode(world, signal),
  });
  // Before the start: as process 1 of a container, the process ignores every signal that has no listener.
  world.on("SIGHUP", () => {
    log.info("signal received", { signal: "SIGHUP" });
    server.reload();
  });
  const stopped = stopSignal(world).then((signal) => {
    log.info("signal received", { signal });
    return server.stop();
  });
  // start() writes the first log line, with the release and the identity source. The warnings follow it.
  const started = server.start();
  for (const warn of warnings) warn(log);
  warnOfShortages(config, log);
  const unfixed = unfixedNode(world.version, processTimers.clock());
  if (unfixed !== undefined) log.warn("node without security fixes", { detail: unfixed });
  for (const variable of unknown) log.warn("unknown environment variable", { detail: describeUnknown(variable) });
  if ((await started) === "serving") await onStarted(server);
  await stopped;
  // Bounded, because a stalled reader of the log would otherwise keep the process alive.
  const givenUp = new Promise<void>((resolve) => void processTimers.delay(LAST_LINES_MS, resolve));
  await Promise.race([log.flush(), givenUp]);
}

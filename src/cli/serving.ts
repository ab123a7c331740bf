import { constants } from "node:os";
import type { ServeConfig } from "../app/config.ts";
import { type RunningServer, startServer } from "../app/server.ts";
import { processTimers } from "../domain/timers.ts";
import { createLogger } from "../observability/logger.ts";
import type { World } from "./world.ts";

/**
 * Serves until SIGTERM or SIGINT, and ends in good order; a second one exits at once, which costs nothing that was
 * answered. SIGHUP reloads the policy. Throws StartRefused.
 */
export async function serveUntilStopped(
  config: ServeConfig,
  world: World,
  onStarted: (server: RunningServer) => Promise<void> = async () => {},
): Promise<void> {
  const log = createLogger(config.logLevel, world.stderr);
  // Before the start: as a container's first process we would not even be ended by a signal that nobody listens to.
  const stopped = stopSignal(world);
  let server: RunningServer | undefined;
  // One that comes during the start would end the process; the policy that it means is about to be read anyway.
  world.on("SIGHUP", () => server?.reloadPolicy());
  server = await startServer(config, { log, timers: processTimers, die: () => world.kill(world.pid, "SIGKILL") });
  await onStarted(server);
  log.info("signal received", { signal: await stopped });
  await server.stop();
  await log.flush();
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

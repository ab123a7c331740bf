import { url as inspectorUrl } from "node:inspector";
import { StartRefused } from "../domain/start-refused.ts";
import type { Logger } from "../observability/logger.ts";
import { type KernelFiles, kernelFiles } from "./kernel-files.ts";
import { emptyCoreDumps, swapWarning } from "./memory-on-disk.ts";
import { type NodeStart, openDoors } from "./node-doors.ts";
import type { World } from "./world.ts";

/** A line of the log that is written once the log has said what starts. */
export type LaterLine = (log: Logger) => void;

/**
 * Closes the ways by which memory leaves a process that holds secrets, and returns warnings of those that only its
 * surroundings can close. Throws StartRefused when Node was told to open one. With `allowDebug` all of them stay as they
 * are, and one line says so.
 */
export function closeDoors(allowDebug: boolean, world: World, log: Logger): LaterLine[] {
  if (allowDebug) return [debuggingAllowed(openDoors(nodeStart(world)))];
  // A listener takes the place of Node's own, which opens a debugger. It comes before the look at the debugger, so that
  // none is opened in between.
  world.on("SIGUSR1", () => log.info("signal ignored", { signal: "SIGUSR1" }));
  const doors = openDoors(nodeStart(world));
  if (doors.length > 0) throw new StartRefused(doors.map((door) => `${door}: leave it out, or give --allow-debug`));
  return memoryOnDisk(kernelFiles).map((detail) => (later) => later.warn("memory can reach a disk", { detail }));
}

function debuggingAllowed(doors: readonly string[]): LaterLine {
  if (doors.length === 0) return (log) => log.info("debugging allowed");
  return (log) => log.warn("debugging allowed", { detail: doors.join("; ") });
}

function nodeStart({ execArgv, env }: World): NodeStart {
  return { execArgv, env, inspector: inspectorUrl() };
}

function memoryOnDisk(files: KernelFiles): string[] {
  return [emptyCoreDumps(files), swapWarning(files)].filter((warning) => warning !== undefined);
}

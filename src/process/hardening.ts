import { url as inspectorUrl } from "node:inspector";
import { StartRefused } from "../domain/start-refused.ts";
import type { Logger } from "../observability/logger.ts";
import { overwriteFreedMemory } from "./freed-memory.ts";
import { type KernelFiles, kernelFiles } from "./kernel-files.ts";
import { emptyCoreDumps, swapWarning } from "./memory-on-disk.ts";
import { type NodeStart, debugOptions } from "./debug-options.ts";
import type { World } from "./world.ts";

/** A log line that is written after the line `starting`. */
export type DeferredLine = (log: Logger) => void;

/**
 * Prevents the memory of this process from leaving it: disables debuggers, excludes memory from core dumps and makes the
 * C library overwrite freed memory. Returns warnings about what only the environment can prevent. Throws StartRefused
 * when an option of Node exposes the process. With `allowDebug` it changes nothing and returns one line that states this.
 */
export async function hardenProcess(allowDebug: boolean, world: World, log: Logger): Promise<DeferredLine[]> {
  if (allowDebug) return [debuggingAllowed(debugOptions(nodeStart(world)))];
  // This listener replaces Node's own, which opens a debugger. It is installed before the check for a debugger, so that
  // none can be opened in between.
  world.on("SIGUSR1", () => log.info("signal ignored", { signal: "SIGUSR1" }));
  const options = debugOptions(nodeStart(world));
  if (options.length > 0) throw new StartRefused(options.map((option) => `${option}: remove it, or use --allow-debug`));
  const failure = await overwriteFreedMemory(world);
  return [...memoryOnDisk(kernelFiles).map(onDisk), ...(failure === undefined ? [] : [notOverwritten(failure)])];
}

function onDisk(detail: string): DeferredLine {
  return (log) => log.warn("memory may be written to disk", { detail });
}

function notOverwritten(detail: string): DeferredLine {
  return (log) => log.warn("freed memory is not overwritten", { detail });
}

function debuggingAllowed(options: readonly string[]): DeferredLine {
  if (options.length === 0) return (log) => log.info("debugging allowed");
  return (log) => log.warn("debugging allowed", { detail: options.join("; ") });
}

function nodeStart({ execArgv, env }: World): NodeStart {
  return { execArgv, env, inspector: inspectorUrl() };
}

function memoryOnDisk(files: KernelFiles): string[] {
  return [emptyCoreDumps(files), swapWarning(files)].filter((warning) => warning !== undefined);
}

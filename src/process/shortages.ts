import type { ServeConfig } from "../config/serve-config.ts";
import type { Logger } from "../observability/logger.ts";
import { descriptorWarning } from "./descriptor-limit.ts";
import { kernelFiles } from "./kernel-files.ts";
import { lockedMemoryWarning } from "./locked-memory.ts";
import { memoryWarning, machineMemory } from "./machine-memory.ts";

/** Warns of file descriptors, locked memory and memory that would run out if the configured limits are reached. */
export function warnOfShortages({ handshakes, maxStoreBytes, threads }: ServeConfig, log: Logger): void {
  const files = descriptorWarning(kernelFiles, handshakes.connections, threads);
  if (files !== undefined) log.warn("file descriptor limit too low", { detail: files });
  const locked = lockedMemoryWarning(kernelFiles, threads);
  if (locked !== undefined) log.warn("locked memory limit too low", { detail: locked });
  const memory = memoryWarning(machineMemory(), maxStoreBytes, threads);
  if (memory !== undefined) log.warn("low memory", { detail: memory });
}

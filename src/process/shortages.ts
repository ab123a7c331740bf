import type { ServeConfig } from "../config/serve-config.ts";
import type { Logger } from "../observability/logger.ts";
import { descriptorWarning } from "./descriptor-limit.ts";
import { kernelFiles } from "./kernel-files.ts";
import { memoryWarning, machineMemory } from "./machine-memory.ts";

/** Warns of file descriptors and memory that would run out if the configured limits are reached. */
export function warnOfShortages({ handshakes, maxStoreBytes }: ServeConfig, log: Logger): void {
  const files = descriptorWarning(kernelFiles, handshakes.connections);
  if (files !== undefined) log.warn("file descriptor limit too low", { detail: files });
  const memory = memoryWarning(machineMemory(), maxStoreBytes);
  if (memory !== undefined) log.warn("low memory", { detail: memory });
}

import type { ServeConfig } from "../config/serve-config.ts";
import type { Logger } from "../observability/logger.ts";
import { fewDescriptors } from "./descriptor-limit.ts";
import { kernelFiles } from "./kernel-files.ts";
import { littleMemory, machineMemory } from "./machine-memory.ts";

/** Warns of what the machine would run out of later, when it is used as far as the configuration allows. */
export function warnOfShortages({ handshakes, maxStoreBytes }: ServeConfig, log: Logger): void {
  const files = fewDescriptors(kernelFiles, handshakes.connections);
  if (files !== undefined) log.warn("few file descriptors", { detail: files });
  const memory = littleMemory(machineMemory(), maxStoreBytes);
  if (memory !== undefined) log.warn("little memory", { detail: memory });
}

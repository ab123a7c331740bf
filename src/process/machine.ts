import { availableParallelism } from "node:os";
import type { Machine } from "../config/read-serve-config.ts";
import { availableCpus } from "./available-cpus.ts";
import { kernelFiles } from "./kernel-files.ts";
import { machineMemory } from "./machine-memory.ts";

/** What this process may use of its machine. */
export function thisMachine(): Machine {
  return { ...machineMemory(), cpus: availableCpus(kernelFiles, availableParallelism()) };
}

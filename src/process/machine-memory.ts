import { totalmem } from "node:os";
import process from "node:process";
import type { Memory } from "../config/read-serve-config.ts";

/** The memory of this machine, and what this process's cgroup leaves of it. */
export function machineMemory(): Memory {
  return { total: totalmem(), constrained: process.constrainedMemory() };
}

import { totalmem } from "node:os";
import process from "node:process";
import { availableBytes, type MachineMemory } from "../config/read-serve-config.ts";

/** The memory of this machine, and what this process's cgroup leaves of it. */
export function machineMemory(): MachineMemory {
  return { total: totalmem(), constrained: process.constrainedMemory() };
}

/**
 * Bytes that the process takes beside its store, under load: measured, and explained in docs/operations.md ("Capacity").
 * A connection takes more, which is left out here: few servers have as many as they may have.
 */
const BESIDE_STORE = 500e6;

/**
 * A warning with what mends it, when a store that is allowed `maxStoreBytes` leaves too little of the memory for
 * everything else: the kernel would kill the server before the first Put is refused with STORE_FULL.
 */
export function littleMemory(memory: MachineMemory, maxStoreBytes: number): string | undefined {
  const available = availableBytes(memory);
  if (available - maxStoreBytes >= BESIDE_STORE) return undefined;
  return (
    `of ${megabytes(available)}, a full store (--max-store-bytes) leaves ${megabytes(available - maxStoreBytes)}, and ` +
    `everything else takes up to ${megabytes(BESIDE_STORE)} under load; lower --max-store-bytes, or give it more memory`
  );
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1e6)} MB`;
}

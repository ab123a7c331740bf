import { totalmem } from "node:os";
import process from "node:process";
import { availableBytes, type MachineMemory } from "../config/read-serve-config.ts";

/** The memory of this machine, and the limit of this process's cgroup. */
export function machineMemory(): MachineMemory {
  return { total: totalmem(), constrained: process.constrainedMemory() };
}

/**
 * Bytes that the process uses in addition to its store, under load. Measured; see docs/operations.md ("Capacity"). The
 * memory of connections is not included, because few servers reach --max-connections.
 */
const BESIDE_STORE = 500e6;

/**
 * A warning, with its fix, if a store of `maxStoreBytes` leaves too little memory for everything else: the kernel would
 * kill the server before the first Put is refused with STORE_FULL.
 */
export function memoryWarning(memory: MachineMemory, maxStoreBytes: number): string | undefined {
  const available = availableBytes(memory);
  if (available - maxStoreBytes >= BESIDE_STORE) return undefined;
  return (
    `of the available ${megabytes(available)}, a full store (--max-store-bytes) leaves ` +
    `${megabytes(available - maxStoreBytes)}, and everything else uses up to ${megabytes(BESIDE_STORE)} under load; ` +
    `lower --max-store-bytes, or add memory`
  );
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1e6)} MB`;
}

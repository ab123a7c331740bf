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
 * Bytes that each thread uses if there are several: 30 MB when idle, as measured, and V8's young generation, which is three
 * times the recommended --max-semi-space-size=64. The copies of the store's records count as parts of the store.
 */
const EACH_THREAD = 220e6;

/**
 * A warning, with its fix, if a store of `maxStoreBytes` leaves too little memory for everything else: the kernel would
 * kill the server before the first Put is refused with STORE_FULL.
 */
export function memoryWarning(memory: MachineMemory, maxStoreBytes: number, threads: number): string | undefined {
  const available = availableBytes(memory);
  const needed = BESIDE_STORE + (threads > 1 ? threads * EACH_THREAD : 0);
  if (available - maxStoreBytes >= needed) return undefined;
  return (
    `of the available ${megabytes(available)}, a full store (--max-store-bytes) leaves ` +
    `${megabytes(available - maxStoreBytes)}, and everything else uses up to ${megabytes(needed)} under load ` +
    `(--threads ${threads}); lower --max-store-bytes${threads > 1 ? " or --threads" : ""}, or add memory`
  );
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1e6)} MB`;
}

import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { freeBytesAround } from "./free-space.ts";

/** The disk space of a data folder, in bytes. */
export interface DiskUsage {
  /** The size of the store's files; 0 if there is no store. */
  readonly used: number;
  /** The free space of the file system for users other than root; infinite if the file system does not report it. */
  readonly free: number;
}

/**
 * Returns the space that the store in a data folder uses, and the free space. It opens no file: closing one would drop
 * the lock that keeps other servers out (fcntl(2), "Record locking").
 */
export function diskUsage(data: string): DiskUsage {
  return { used: sizeOf(join(data, "store")), free: freeBytesAround(data)() };
}

function sizeOf(folder: string): number {
  try {
    return readdirSync(folder)
      .map((name) => statSync(join(folder, name)).size)
      .reduce((sum, size) => sum + size, 0);
  } catch {
    // The folder does not exist yet, or a file has just been removed.
    return 0;
  }
}

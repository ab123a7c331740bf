import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { freeBytesAround } from "./free-space.ts";

/** Bytes on the disk of a data folder. */
export interface DiskUsage {
  /** What the files of the store take. 0 before there is a store. */
  readonly used: number;
  /** What the file system has left for users that are not root; infinite where it does not tell. */
  readonly free: number;
}

/**
 * What the store in a data folder takes, and what is left. Files are looked at and never opened: closing one would drop
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
    // It is not there yet, or a file of it has just gone.
    return 0;
  }
}

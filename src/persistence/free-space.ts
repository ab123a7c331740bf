import { accessSync, constants as access, statfsSync } from "node:fs";
import { constants } from "node:os";

/** Returns the free space of a file system in bytes. A parameter for tests. */
export type FreeBytes = () => number;

/**
 * The free space of a folder's file system, for users other than root; infinite if the file system does not report it.
 */
export function freeBytesAround(folder: string): FreeBytes {
  return () => {
    try {
      const { blocks, bavail, bsize } = statfsSync(folder);
      return blocks === 0 ? Number.POSITIVE_INFINITY : bavail * bsize;
    } catch {
      return Number.POSITIVE_INFINITY;
    }
  };
}

/** Whether a file system error means a full disk or an exceeded quota. Node has no code for an exceeded quota. */
export function isOutOfSpace(error: unknown): boolean {
  const { code, errno } = error as NodeJS.ErrnoException;
  return code === "ENOSPC" || (errno !== undefined && Math.abs(errno) === constants.errno.EDQUOT);
}

/**
 * Why a folder can't be written, for example because the kernel remounted its disk read-only after an error; undefined
 * if it can be written. Files that are already open can stay writable for a while.
 */
export function readOnlyReason(folder: string): string | undefined {
  try {
    accessSync(folder, access.W_OK);
    return undefined;
  } catch (error) {
    return `${folder} can't be written (${(error as NodeJS.ErrnoException).code})`;
  }
}

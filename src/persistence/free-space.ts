import { accessSync, constants as access, statfsSync } from "node:fs";
import { constants } from "node:os";
import type { JournalEntry } from "../store/journal.ts";

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

// The pages that one change writes in the tree of versions, in its index and in the list of free pages, rounded up.
const BYTES_PER_CHANGE = 4 * 4096;

// The page with the mark, which every commit writes (log-mark.ts).
const BYTES_PER_COMMIT = 4096;

/** The bytes that the smallest change writes, such as a Delete. */
export const MINIMUM_BYTES_WRITTEN = 2 * (BYTES_PER_COMMIT + BYTES_PER_CHANGE);

/**
 * Estimates the maximum number of bytes that a group writes. Its content counts twice, because pruned content of the
 * same size is overwritten with zeros. The sum counts twice again: once in the log, and once in the database at the
 * next checkpoint.
 */
export function bytesWritten(group: readonly JournalEntry[]): number {
  const changes = group.flatMap((entry) => entry.changes);
  const sizes = changes.map((change) => BYTES_PER_CHANGE + (change.kind === "put" ? 2 * change.sealed.length : 0));
  return 2 * sizes.reduce((sum, size) => sum + size, BYTES_PER_COMMIT);
}

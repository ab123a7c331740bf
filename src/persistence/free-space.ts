import { accessSync, constants as access, statfsSync } from "node:fs";
import { constants } from "node:os";
import type { JournalEntry } from "../store/journal.ts";

/** How many bytes a file system still takes. A parameter for tests. */
export type FreeBytes = () => number;

/** The free space around a folder, for users that are not root. Infinite where the file system does not tell. */
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

/** Whether an error of the file system says that there is no room: on the disk, or under a quota, which Node has no code for. */
export function isOutOfSpace(error: unknown): boolean {
  const { code, errno } = error as NodeJS.ErrnoException;
  return code === "ENOSPC" || (errno !== undefined && Math.abs(errno) === constants.errno.EDQUOT);
}

/**
 * Why a folder takes no writes, as when its disk was mounted anew and read-only after an error; undefined: it does. What
 * is open already may go on for a while.
 */
export function readOnlyReason(folder: string): string | undefined {
  try {
    accessSync(folder, access.W_OK);
    return undefined;
  } catch (error) {
    return `${folder} can't be written (${(error as NodeJS.ErrnoException).code})`;
  }
}

// The pages of the tree of versions, of its index and of the list of free pages that one change touches, rounded up.
const BYTES_PER_CHANGE = 4 * 4096;

// The page of the mark that every commit writes (log-mark.ts).
const BYTES_PER_COMMIT = 4096;

/** What the smallest change writes, such as a delete. */
export const LEAST_BYTES_WRITTEN = 2 * (BYTES_PER_COMMIT + BYTES_PER_CHANGE);

/**
 * About how many bytes a group writes, at most: its content, as much again for content that it prunes, since that is
 * overwritten with zeros, and all of it twice, in the log now and in the database at the next checkpoint.
 */
export function bytesWritten(group: readonly JournalEntry[]): number {
  const changes = group.flatMap((entry) => entry.changes);
  const sizes = changes.map((change) => BYTES_PER_CHANGE + (change.kind === "put" ? 2 * change.sealed.length : 0));
  return 2 * sizes.reduce((sum, size) => sum + size, BYTES_PER_COMMIT);
}

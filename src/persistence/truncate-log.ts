import { closeSync, fstatSync, fsyncSync, ftruncateSync, openSync } from "node:fs";

/**
 * Truncates a log after its last commit, and syncs it. The remains of a failed commit take space that the next commit
 * needs, and must not mix with it. This is safe while SQLite has the log open: SQLite locks only the database, so
 * closing a descriptor of the log drops no lock.
 */
export function truncateLog(file: string, end: number): void {
  const descriptor = openSync(file, "r+");
  try {
    if (fstatSync(descriptor).size === end) return;
    ftruncateSync(descriptor, end);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

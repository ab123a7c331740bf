import { closeSync, fstatSync, fsyncSync, ftruncateSync, openSync } from "node:fs";

/**
 * Cuts a log behind its last commit, and syncs it. What a commit leaves there that did not get through takes up the room
 * that the next one needs, and must not be mixed with it. SQLite may have the log open: it locks the database only.
 */
export function cutLog(file: string, end: number): void {
  const descriptor = openSync(file, "r+");
  try {
    if (fstatSync(descriptor).size === end) return;
    ftruncateSync(descriptor, end);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

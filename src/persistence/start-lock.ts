import { closeSync, rmSync } from "node:fs";
import Database from "better-sqlite3";
import { openPrivate } from "./private-create.ts";

/**
 * Runs an action that creates a store, or a new file for it, under a lock that keeps other starts out. SQLite holds the
 * lock on an empty file, which exists only during the action. Throws SQLITE_BUSY if another start holds the lock.
 */
export function withStartLock<T>(file: string, action: () => T): T {
  const name = `${file}.starting`;
  closeSync(openPrivate(name, false));
  const lock = new Database(name, { fileMustExist: true, timeout: 0 });
  try {
    lock.exec("BEGIN EXCLUSIVE"); // the file is empty, so nothing is written
    const result = action();
    rmSync(name, { force: true });
    return result;
  } catch (error) {
    if (lock.inTransaction) rmSync(name, { force: true });
    throw error;
  } finally {
    lock.close();
  }
}

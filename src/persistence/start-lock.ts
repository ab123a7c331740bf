import { closeSync, rmSync } from "node:fs";
import Database from "better-sqlite3";
import { openPrivate } from "./private-create.ts";

/**
 * Runs an action while no other start runs one on the same store: one that makes the store, or a new file for it. The
 * lock is SQLite's, on an empty file that exists only meanwhile. Throws SQLITE_BUSY when another start has it.
 */
export function whileAlone<T>(file: string, action: () => T): T {
  const name = `${file}.starting`;
  closeSync(openPrivate(name, false));
  const lock = new Database(name, { fileMustExist: true, timeout: 0 });
  try {
    lock.exec("BEGIN EXCLUSIVE"); // of an empty file: nothing is written
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

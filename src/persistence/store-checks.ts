import type Database from "better-sqlite3";
import { asStoreRefused, failingDisk } from "./storage-error.ts";
import { checkSchema } from "./schema.ts";
import { StoreRefused } from "./store-refused.ts";

/** Creates the content of a new store, and checks that of an existing one. */
export interface StoreContent {
  /** Writes the first rows of a new store. Called within the transaction that creates it. */
  create(db: Database.Database): void;
  /** Checks the identity of the store and its data key, without writing. Throws {@link StoreRefused}. */
  check(db: Database.Database, file: string): void;
  /** Checks every row, as the load of the store also does. Throws {@link StoreRefused}. */
  checkRows(db: Database.Database, file: string): void;
  /** Checks that every sealed content opens, so that it belongs to this store. Throws {@link StoreRefused}. */
  checkSeals(db: Database.Database, file: string): void;
}

/**
 * Checks a database without writing. `file` is its name in messages, because an image has none. Throws
 * {@link StoreRefused}.
 */
export function checkDatabase(db: Database.Database, file: string, content: StoreContent): void {
  reading(db, file, () => {
    const finding = checkPages(db);
    if (finding !== undefined) throw unsound(finding, file);
    checkSchema(db, file);
    content.check(db, file);
  });
}

/**
 * Runs `read` and converts its errors. SQLite reports an I/O error of a statement as SQLITE_CORRUPT. To distinguish the
 * two, all pages are read again: damage is found again, and an I/O error is reported as such or does not occur again.
 * Throws {@link StoreRefused}.
 */
export function reading<T>(db: Database.Database, file: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    const isDoubtful = (error as { code?: unknown }).code === "SQLITE_CORRUPT";
    const finding = isDoubtful ? checkPages(db) : undefined;
    if (finding !== undefined) throw unsound(finding, file);
    throw isDoubtful ? failingDisk(file, "SQLITE_CORRUPT at first", { cause: error }) : asStoreRefused(error, file);
  }
}

/**
 * Checks all pages and returns the problem, if any. It takes 0.2 s for a million versions of 256 bytes (400 MB), which
 * the load reads anyway.
 */
function checkPages(db: Database.Database): string | undefined {
  try {
    const finding = String(db.pragma("quick_check(1)", { simple: true }));
    return finding === "ok" ? undefined : finding;
  } catch (error) {
    if ((error as { code?: unknown }).code !== "SQLITE_CORRUPT") throw error;
    return (error as Error).message;
  }
}

function unsound(finding: string, file: string): StoreRefused {
  const code = Number(/error code=(\d+)/.exec(finding)?.[1]);
  // The low byte of an extended result code is the primary code; 10 is SQLITE_IOERR (sqlite.org/rescode.html).
  if ((code & 0xff) === 10) return failingDisk(file, `SQLite error ${code}`);
  return new StoreRefused("damaged", `${file} is damaged (${finding}); restore it from a copy`);
}

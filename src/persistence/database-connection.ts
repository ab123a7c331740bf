import Database from "better-sqlite3";
import { StoreRefused } from "./store-refused.ts";

/** 3.7.0 to 3.51.2 can corrupt a database when the log is reset (sqlite.org/wal.html, "The WAL-Reset Bug"). */
const OLDEST_SQLITE = [3, 51, 3] as const;

/** Milliseconds that another start may take to find out whether the database is held, which it does under a lock. */
const PROBE_MS = 50;

/**
 * What the connection is set to, in this order, and what SQLite must answer when asked: some settings are dropped
 * without an error. Why each is there: sqlite.org/pragma.html and, for the untrusted-file ones, security.html.
 */
const SETTINGS: readonly (readonly [name: string, value: string, answer: string | number])[] = [
  // First, before anything is read: one process holds the file for as long as it lives, and no -shm file is needed.
  ["locking_mode", "EXCLUSIVE", "exclusive"],
  ["journal_mode", "WAL", "wal"],
  // This binding's own default, NORMAL, loses acknowledged commits when the power fails. EXTRA is FULL in WAL mode.
  ["synchronous", "EXTRA", 3],
  // macOS flushes the drive's cache only when asked; nothing on Linux.
  ["fullfsync", "ON", 1],
  ["checkpoint_fullfsync", "ON", 1],
  // An automatic checkpoint hides I/O errors, and lets a caller wait. WriteAheadLog does it instead.
  ["wal_autocheckpoint", "0", 0],
  ["journal_size_limit", String(64 * 1024 * 1024), 64 * 1024 * 1024],
  // A file that somebody prepared must not run code or read past its cells.
  ["trusted_schema", "OFF", 0],
  ["cell_size_check", "ON", 1],
  // With a memory map, an I/O error is a SIGBUS.
  ["mmap_size", "0", 0],
  ["temp_store", "MEMORY", 2],
  // Sealed as it is, what was pruned need not stay.
  ["secure_delete", "ON", 1],
];

/** Throws {@link StoreRefused} when the SQLite that was built in can corrupt a database. */
export function checkLibrary(): void {
  const memory = new Database(":memory:");
  const version = memory.prepare("SELECT sqlite_version()").pluck().get() as string;
  memory.close();
  if (compareVersions(version.split(".").map(Number), OLDEST_SQLITE) >= 0) return;
  throw new StoreRefused("unsuitable SQLite", `SQLite ${version} is older than ${OLDEST_SQLITE.join(".")}`);
}

/**
 * Opens a database alone and durable. This takes the lock and reads the log, and writes nothing. Closing the connection
 * folds the log into the database, unless the file was replaced under its name in the meantime.
 */
export function connect(file: string): Database.Database {
  const db = new Database(file, { fileMustExist: true, timeout: PROBE_MS });
  try {
    for (const setting of SETTINGS) apply(db, setting);
    db.exec("BEGIN IMMEDIATE; COMMIT"); // takes the lock, whatever the settings left undone
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/**
 * Whether a process, this one included, has the database open as a server has it. A connection that can only read asks
 * for the lock: a process that holds it makes that fail with SQLITE_BUSY before anything else is read, and closing such a
 * connection can't fold the log, because it can't take the lock that folding needs.
 *
 * This comes before the files are read without SQLite: a process that closes a file loses all its locks on it
 * (sqlite.org/howtocorrupt.html, section 2.2).
 */
export function isHeld(file: string): boolean {
  const db = new Database(file, { fileMustExist: true, readonly: true, timeout: 0 });
  try {
    db.pragma("locking_mode = EXCLUSIVE");
    db.prepare("SELECT 1 FROM sqlite_schema").get();
    return false;
  } catch (error) {
    return (error as { code?: string }).code === "SQLITE_BUSY";
  } finally {
    db.close();
  }
}

function compareVersions(left: readonly number[], right: readonly number[]): number {
  const at = right.findIndex((part, index) => part !== left[index]);
  return at === -1 ? 0 : (left[at] ?? 0) - (right[at] ?? 0);
}

function apply(db: Database.Database, [name, value, answer]: (typeof SETTINGS)[number]): void {
  db.pragma(`${name} = ${value}`);
  const actual = db.pragma(name, { simple: true });
  if (actual === answer) return;
  throw new StoreRefused("unsuitable SQLite", `SQLite set ${name} to ${actual} instead of ${answer}`);
}

import Database from "better-sqlite3";
import { StoreRefused } from "./store-refused.ts";

/** SQLite 3.7.0 to 3.51.2 can corrupt a database when the log is reset (sqlite.org/wal.html, "The WAL-Reset Bug"). */
const OLDEST_SQLITE = [3, 51, 3] as const;

/**
 * How long to wait, in milliseconds, for another start that holds a lock while it checks whether the database is in
 * use.
 */
const PROBE_MS = 50;

/**
 * The settings of the connection, in this order. Each is read back and compared with the answer here, because SQLite
 * ignores some settings without an error. Sources: sqlite.org/pragma.html, and security.html for untrusted files.
 */
const SETTINGS: readonly (readonly [name: string, value: string, answer: string | number])[] = [
  // This must come before any read. The process holds the lock until it ends, and SQLite needs no -shm file.
  ["locking_mode", "EXCLUSIVE", "exclusive"],
  ["journal_mode", "WAL", "wal"],
  // The default of better-sqlite3, NORMAL, loses acknowledged commits at a power failure. EXTRA is FULL in WAL mode.
  ["synchronous", "EXTRA", 3],
  // macOS flushes the cache of the drive only with these. They have no effect on Linux.
  ["fullfsync", "ON", 1],
  ["checkpoint_fullfsync", "ON", 1],
  // An automatic checkpoint hides I/O errors and delays a caller. WriteAheadLog makes the checkpoints.
  ["wal_autocheckpoint", "0", 0],
  ["journal_size_limit", String(64 * 1024 * 1024), 64 * 1024 * 1024],
  // A file that an attacker prepared must not run code, or make SQLite read beyond the end of a cell.
  ["trusted_schema", "OFF", 0],
  ["cell_size_check", "ON", 1],
  // With a memory map, an I/O error would raise SIGBUS, which ends the process.
  ["mmap_size", "0", 0],
  ["temp_store", "MEMORY", 2],
  // Pruned content is overwritten, although it is encrypted.
  ["secure_delete", "ON", 1],
];

/** Throws {@link StoreRefused} if the SQLite that better-sqlite3 contains can corrupt a database. */
export function checkLibrary(): void {
  const memory = new Database(":memory:");
  const version = memory.prepare("SELECT sqlite_version()").pluck().get() as string;
  memory.close();
  if (compareVersions(version.split(".").map(Number), OLDEST_SQLITE) >= 0) return;
  throw new StoreRefused("unsuitable SQLite", `SQLite ${version} is older than ${OLDEST_SQLITE.join(".")}`);
}

/**
 * Opens a database with an exclusive lock and durable settings. It takes the lock, reads the log, and writes nothing.
 * Closing the connection checkpoints the log, unless another file has replaced the database.
 */
export function connect(file: string): Database.Database {
  const db = new Database(file, { fileMustExist: true, timeout: PROBE_MS });
  try {
    for (const setting of SETTINGS) apply(db, setting);
    db.exec("BEGIN IMMEDIATE; COMMIT"); // takes the lock, even if the settings did not
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/**
 * Whether a process, this one included, holds the lock that a server has on its database. A read-only connection
 * requests the lock. If another connection holds it, the request fails with SQLITE_BUSY before anything else is read.
 * Closing a read-only connection can't checkpoint the log, because it can't take the lock that a checkpoint needs.
 *
 * Call this before reading the files without SQLite: a process that closes a file loses all its locks on it
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

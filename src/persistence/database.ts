import { closeSync, constants, fchmodSync, fsyncSync, lstatSync, openSync } from "node:fs";
import { dirname } from "node:path";
import Database from "better-sqlite3";
import { describeDenial } from "../domain/file-access.ts";
import { lockHolder } from "./lock-holder.ts";
import { migrate } from "./schema.ts";
import { StoreRefused } from "./store-refused.ts";
import { syncFolder } from "./sync-folder.ts";
import { WriteAheadLog } from "./write-ahead-log.ts";

/** 3.7.0 to 3.51.2 can corrupt a database when the log is reset (sqlite.org/wal.html, "The WAL-Reset Bug"). */
const OLDEST_SQLITE = [3, 51, 3] as const;

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

/**
 * Opens the database, or makes it if there is none: alone, durable, in this release's schema, checked, and with an
 * empty log. `create` writes the first rows of a new store (see {@link migrate}). Throws {@link StoreRefused}.
 *
 * From here on, nothing in this process may open the database's files: when such a descriptor is closed, the locks that
 * keep other processes out are gone (sqlite.org/howtocorrupt.html, section 2.2).
 */
export function openDatabase(file: string, create: (db: Database.Database) => void): Database.Database {
  checkLibrary();
  try {
    createFile(file);
    return prepared(new Database(file, { fileMustExist: true, timeout: 0 }), create);
  } catch (error) {
    throw refusal(error, file);
  }
}

function prepared(db: Database.Database, create: (db: Database.Database) => void): Database.Database {
  try {
    for (const setting of SETTINGS) apply(db, setting);
    db.exec("BEGIN IMMEDIATE; COMMIT"); // takes the lock, whatever the settings left undone
    checkPages(db);
    migrate(db, () => create(db));
    // After a crash the log may be in the page cache and not on the disk: this writes and flushes all of it.
    new WriteAheadLog(db).checkpoint("full");
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

function checkLibrary(): void {
  const memory = new Database(":memory:");
  const version = memory.prepare("SELECT sqlite_version()").pluck().get() as string;
  memory.close();
  if (compareVersions(version.split(".").map(Number), OLDEST_SQLITE) >= 0) return;
  throw new StoreRefused("unsuitable SQLite", `SQLite ${version} is older than ${OLDEST_SQLITE.join(".")}`);
}

function compareVersions(left: readonly number[], right: readonly number[]): number {
  const at = right.findIndex((part, index) => part !== left[index]);
  return at === -1 ? 0 : (left[at] ?? 0) - (right[at] ?? 0);
}

/** SQLite gives its log the mode of the database, so that the mode must be right before SQLite comes. */
function createFile(file: string): void {
  const size = lstatSync(file, { throwIfNoEntry: false })?.size ?? 0;
  if (size > 0) return;
  if (lstatSync(`${file}-wal`, { throwIfNoEntry: false }) !== undefined) {
    // SQLite would take the log for a leftover and delete it, and all that was not checkpointed with it.
    const message = `${file} is missing or empty, but its log ${file}-wal is there`;
    throw new StoreRefused("damaged", `${message}; restore both from the same copy`);
  }
  const descriptor = openSync(file, constants.O_CREAT | constants.O_RDWR | constants.O_NOFOLLOW, 0o600);
  fchmodSync(descriptor, 0o600); // whatever the umask took away
  fsyncSync(descriptor);
  closeSync(descriptor);
  syncFolder(dirname(file));
}

function apply(db: Database.Database, [name, value, answer]: (typeof SETTINGS)[number]): void {
  db.pragma(`${name} = ${value}`);
  const actual = db.pragma(name, { simple: true });
  if (actual === answer) return;
  throw new StoreRefused("unsuitable SQLite", `SQLite set ${name} to ${actual} instead of ${answer}`);
}

/** Affordable at every start: 0.2 s for a million versions of 256 bytes (400 MB), which the load reads anyway. */
function checkPages(db: Database.Database): void {
  const finding = db.pragma("quick_check(1)", { simple: true });
  if (finding === "ok") return;
  throw new StoreRefused("damaged", `${db.name} is damaged (${finding}); restore it from a copy`);
}

/** What the operator is told about an error of SQLite or of the file system; anything else passes through. */
function refusal(error: unknown, file: string): unknown {
  const { code, message } = error as { code?: unknown; message?: string };
  if (error instanceof StoreRefused || typeof code !== "string") return error;
  const options = { cause: error };
  if (code.startsWith("SQLITE_BUSY")) return new StoreRefused("in use", inUse(file), options);
  if (code.startsWith("SQLITE_NOTADB")) return new StoreRefused("not a store", `${file} is no database`, options);
  if (code.startsWith("SQLITE_CORRUPT")) return new StoreRefused("damaged", `${file} is damaged: ${message}`, options);
  if (code.startsWith("SQLITE_FULL")) {
    return new StoreRefused("not accessible", `${file} ${describeDenial(dirname(file), "ENOSPC")}`, options);
  }
  return new StoreRefused("not accessible", `${file} can't be used: ${message} (${code})`, options);
}

function inUse(file: string): string {
  const holder = lockHolder(file);
  const who = holder === undefined ? "another process" : `process ${holder}`;
  const alone = `${who} has ${file} open: one server at a time; stop it or give this one another --data`;
  return `${alone}; to take its place as soon as it ends: --lock-wait; in Kubernetes: strategy: Recreate, or a StatefulSet`;
}

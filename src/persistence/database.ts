import { closeSync, existsSync, lstatSync, renameSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import type Database from "better-sqlite3";
import { checkLibrary, connect, isHeld } from "./database-connection.ts";
import { freeBytesAround, type FreeBytes } from "./free-space.ts";
import { emptyLog, readLog } from "./log-reading.ts";
import { openPrivate } from "./private-create.ts";
import { finishRecovery, recover, recoveryFiles, removeDatabase } from "./recovery.ts";
import { APPLICATION_ID, createSchema } from "./schema.ts";
import { withStartLock } from "./start-lock.ts";
import { asStoreRefused, inUse } from "./storage-error.ts";
import { checkDatabase, type StoreContent } from "./store-checks.ts";
import { readAt, type StoreFiles } from "./store-image.ts";
import { StoreRefused } from "./store-refused.ts";
import { syncFolder } from "./sync-folder.ts";
import { WriteAheadLog } from "./write-ahead-log.ts";

/**
 * Opens the database with an exclusive lock and durable settings, or creates it if there is none. It writes nothing
 * before every check has passed, so a refusal changes no byte. Throws {@link StoreRefused}.
 *
 * After this call, nothing else in this process may open the database file: closing its descriptor would drop the locks
 * that keep other processes out (sqlite.org/howtocorrupt.html, section 2.2).
 */
export function openDatabase(
  file: string,
  content: StoreContent,
  freeBytes: FreeBytes = freeBytesAround(dirname(file)),
): Database.Database {
  checkLibrary();
  try {
    const db = open(file, content, freeBytes);
    syncAround(db, dirname(file));
    return db;
  } catch (error) {
    throw asStoreRefused(error, file);
  }
}

/**
 * Syncs the folder. SQLite also syncs it, but ignores an error. Without the sync, a power failure could remove the
 * whole log.
 */
function syncAround(db: Database.Database, folder: string): void {
  try {
    syncFolder(folder);
  } catch (error) {
    db.close();
    throw error;
  }
}

function open(file: string, content: StoreContent, freeBytes: FreeBytes): Database.Database {
  const files = { database: file, log: `${file}-wal` };
  if (sizeOf(file) > 0 && isHeld(file)) throw new StoreRefused("in use", inUse(file));
  const before = stateOf(files);
  const confirm = () => {
    if (stateOf(files) === before) return;
    throw new StoreRefused("in use", `${inUse(file)} (the file changed while it was checked)`);
  };
  try {
    return openAs({ files, content, freeBytes, confirm });
  } catch (error) {
    // The files were read without a lock. They are damaged only if no other start or server was writing them.
    if (error instanceof StoreRefused && error.refusal === "damaged") confirm();
    if (sizeOf(file) > 0 && isHeld(file)) throw new StoreRefused("in use", inUse(file), { cause: error });
    throw error;
  }
}

interface OpenOptions {
  readonly files: StoreFiles;
  readonly content: StoreContent;
  readonly freeBytes: FreeBytes;
  readonly confirm: () => void;
}

function openAs({ files, content, freeBytes, confirm }: OpenOptions): Database.Database {
  const hasLog = sizeOf(files.log) > 0;
  // The complete file of an interrupted recovery is used only if the log is gone. Otherwise the recovery starts again.
  if (existsSync(recoveryFiles(files).complete) && !hasLog) return finishRecovery(files, content, confirm);
  if (sizeOf(files.database) === 0) {
    if (hasLog) throw onlyLog(files);
    return create(files, content, confirm);
  }
  const header = headerOf(files.database);
  const reading = readLog(files.log, header.pageSize);
  if (reading.kind === "damaged") throw damagedLog(files, reading.why);
  const log = reading.kind === "empty" ? emptyLog(header.pageSize) : reading.log;
  if (log.pages === 0 && header.isBlank) return create(files, content, confirm);
  if (log.pages === 0) refuseForeign(header, files.database);
  refuseJournal(files);
  if (!hasLog && header.isLogged) return openClean(files, content, confirm);
  return recover({ files, log, content, freeBytes, confirm });
}

/** Opens a database without a log. SQLite then writes nothing when it opens or closes the database. */
function openClean({ database }: StoreFiles, content: StoreContent, confirm: () => void): Database.Database {
  const db = connect(database);
  try {
    confirm();
    checkDatabase(db, database, content);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** Creates a store under a temporary name, then renames it, so that a partly created store never has the final name. */
function create({ database }: StoreFiles, content: StoreContent, confirm: () => void): Database.Database {
  return withStartLock(database, () => {
    confirm();
    const partial = `${database}.new`;
    removeDatabase(partial);
    try {
      makeDatabase(partial, content);
      for (const suffix of ["-wal", "-journal"]) rmSync(`${database}${suffix}`, { force: true });
      renameSync(partial, database);
    } finally {
      removeDatabase(partial);
    }
    syncFolder(dirname(database));
    return connect(database);
  });
}

function makeDatabase(file: string, content: StoreContent): void {
  closeSync(openPrivate(file, true));
  const db = connect(file);
  try {
    createSchema(db, () => content.create(db));
    new WriteAheadLog(db).checkpoint("full"); // syncs the file
  } finally {
    db.close();
  }
}

/**
 * Refuses a rollback journal. Coffer never writes one, so it does not belong to this database, and SQLite would
 * overwrite pages of the database with the contents of the journal.
 */
function refuseJournal({ database }: StoreFiles): void {
  if (sizeOf(`${database}-journal`) === 0) return;
  const message = `${database}-journal is a rollback journal, which Coffer never writes`;
  throw new StoreRefused("damaged", `${message}; restore the whole folder from a copy`);
}

/** SQLite would delete a log without its database, with all changes that are not checkpointed. */
function onlyLog({ database, log }: StoreFiles): StoreRefused {
  const message = `${database} is missing or empty, but its log ${log} exists`;
  return new StoreRefused("damaged", `${message}; restore both from the same copy`);
}

function damagedLog({ log }: StoreFiles, why: string): StoreRefused {
  const message = `${log} ${why}, so that acknowledged changes are lost`;
  return new StoreRefused("damaged", `${message}; keep the folder, and restore it from a copy`);
}

/** Refuses the database of another program. Opening it would set it to WAL mode. */
function refuseForeign({ applicationId }: DatabaseHeader, file: string): void {
  if (applicationId === APPLICATION_ID) return;
  throw new StoreRefused("not a store", `${file} belongs to another program (application_id ${applicationId})`);
}

const MAGIC = "SQLite format 3\0";
const HEADER_BYTES = 108;

/** The header of a database (sqlite.org/fileformat2.html, section 1.3). */
interface DatabaseHeader {
  readonly pageSize: number;
  readonly applicationId: number;
  /**
   * Whether the database is one page without a table. An older release that is interrupted while it creates a store
   * leaves such a database.
   */
  readonly isBlank: boolean;
  /** Whether the database is in WAL mode. Another tool may have changed this. */
  readonly isLogged: boolean;
}

function headerOf(file: string): DatabaseHeader {
  const header = readAt(file, 0, HEADER_BYTES);
  if (header.toString("latin1", 0, MAGIC.length) !== MAGIC)
    throw new StoreRefused("not a store", `${file} is not a SQLite database`);
  const stored = header.readUInt16BE(16);
  const pageSize = stored === 1 ? 65_536 : stored;
  if (pageSize < 512 || (pageSize & (pageSize - 1)) !== 0) {
    throw new StoreRefused("damaged", `${file} is damaged (pages of ${pageSize} bytes); restore it from a copy`);
  }
  const applicationId = header.readUInt32BE(68);
  const isBlank = sizeOf(file) <= pageSize && applicationId === 0 && header.readUInt16BE(103) === 0;
  return { pageSize, applicationId, isBlank, isLogged: header.readUInt16BE(18) === 0x0202 };
}

function sizeOf(file: string): number {
  return lstatSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

/** A text that changes if a process writes or replaces one of the files. */
function stateOf({ database, log }: StoreFiles): string {
  return [database, log].map(stateOfFile).join(" ");
}

/** An empty log counts as a missing one, because SQLite creates it when it opens the database. */
function stateOfFile(file: string): string {
  const stats = lstatSync(file, { throwIfNoEntry: false, bigint: true });
  return stats === undefined || stats.size === 0n ? "" : `${stats.ino} ${stats.size} ${stats.mtimeNs}`;
}

import { existsSync, renameSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import Database from "better-sqlite3";
import { connect, isHeld } from "./database-connection.ts";
import { truncateLog } from "./truncate-log.ts";
import { type FreeBytes, isOutOfSpace } from "./free-space.ts";
import { isContinued, type LogMark, markOn, markPage } from "./log-mark.ts";
import type { CommittedLog } from "./log-reading.ts";
import { withStartLock } from "./start-lock.ts";
import { inUse } from "./storage-error.ts";
import { checkDatabase, reading, type StoreContent } from "./store-checks.ts";
import { imageBytes, imageInMemory, pageOf, readAt, type StoreFiles, writeImage } from "./store-image.ts";
import { StoreRefused } from "./store-refused.ts";
import { syncFolder } from "./sync-folder.ts";

/** The space to leave free besides a new file, so that the disk does not become full for other programs. */
const SPARE_BYTES = 16 * 1024 * 1024;

/** The options of {@link recover}. */
export interface RecoveryOptions {
  readonly files: StoreFiles;
  readonly log: CommittedLog;
  readonly content: StoreContent;
  readonly freeBytes: FreeBytes;
  /** Throws if the files have changed since they were read. Called when no other server can open them. */
  readonly confirm: () => void;
}

/**
 * The file names of a recovery: of the new file while it is written and once it is complete, and of the log whose
 * changes are in it.
 */
export interface RecoveryFiles {
  readonly partial: string;
  readonly complete: string;
  readonly oldLog: string;
}

/** The file names of a recovery of `database`. */
export function recoveryFiles({ database }: StoreFiles): RecoveryFiles {
  return { partial: `${database}.recovering`, complete: `${database}.recovered`, oldLog: `${database}.folded` };
}

/**
 * Opens a store whose server was killed: its log has commits, or a part of one. All checks run on an image of the
 * database and its log together. The image is a new file that then replaces both. If the disk has no space for it, the
 * image is in memory, and the log stays until a checkpoint has space. Neither file is written until every check has
 * passed. Throws {@link StoreRefused}, or an error of SQLite or the file system.
 */
export function recover(options: RecoveryOptions): Database.Database {
  const { files } = options;
  if (!recoverToFile(options)) return inPlace(options);
  return connect(files.database);
}

/** Returns false if there was no space for the new file. */
function recoverToFile(options: RecoveryOptions): boolean {
  const { files, log, freeBytes } = options;
  if (freeBytes() < imageBytes(files, log) + SPARE_BYTES) return false;
  return withStartLock(files.database, () => writeAndReplace(options));
}

function writeAndReplace(options: RecoveryOptions): boolean {
  const { files, confirm } = options;
  const { partial } = recoveryFiles(files);
  removeDatabase(partial);
  try {
    if (!isWritten(options, partial)) return false;
    checkImageFile(partial, (image) => checkImage(image, options));
    replace(files, partial, confirm);
    return true;
  } finally {
    removeDatabase(partial);
  }
}

/** Writes the image. Returns false if there was no space: an exceeded quota shows only when something is written. */
function isWritten({ files, log }: RecoveryOptions, partial: string): boolean {
  try {
    writeImage(files, log, partial);
    return true;
  } catch (error) {
    if (isOutOfSpace(error)) return false;
    throw error;
  }
}

/**
 * Finishes a recovery that was interrupted after its file was complete and the log was removed. The file is checked
 * again, because another program may have written or changed it.
 */
export function finishRecovery(files: StoreFiles, content: StoreContent, confirm: () => void): Database.Database {
  const { complete } = recoveryFiles(files);
  withStartLock(files.database, () => {
    checkImageFile(complete, (image) => {
      checkDatabase(image, complete, content);
      content.checkRows(image, complete);
    });
    replace(files, complete, confirm);
  });
  return connect(files.database);
}

function checkImageFile(file: string, check: (image: Database.Database) => void): void {
  const image = connect(file);
  try {
    check(image);
  } finally {
    image.close(); // its log is empty
  }
}

/**
 * Replaces the database and its log by a checked file. Each step is durable before the next one. A start after any step
 * finds the old database with its log, or a complete file and no log, or only the new database.
 *
 * The log is renamed before the lock is taken. So SQLite never sees the log, and can't checkpoint it if a step fails.
 */
function replace(files: StoreFiles, image: string, confirm: () => void): void {
  const { complete, oldLog } = recoveryFiles(files);
  const folder = dirname(files.database);
  if (isHeld(files.database)) throw new StoreRefused("in use", inUse(files.database));
  confirm();
  renameSync(image, complete);
  syncFolder(folder);
  const hasLog = existsSync(files.log);
  if (hasLog) renameSync(files.log, oldLog);
  const undo = () => {
    if (hasLog) renameSync(oldLog, files.log);
    if (image !== complete) renameSync(complete, image);
  };
  const old = lockOr(undo, files.database); // keeps every other server out
  try {
    syncFolder(folder);
    renameSync(complete, files.database);
    syncFolder(folder);
    rmSync(oldLog, { force: true });
  } finally {
    old.close();
  }
}

function lockOr(undo: () => void, database: string): Database.Database {
  try {
    return connect(database);
  } catch (error) {
    undo();
    throw error;
  }
}

/** Opens the files as they are, after checks on an image in memory. */
function inPlace(options: RecoveryOptions): Database.Database {
  const { files, log, confirm } = options;
  const image = new Database(imageInMemory(files, log));
  try {
    checkImage(image, options);
  } finally {
    image.close();
  }
  const db = connect(files.database);
  try {
    confirm();
    rmSync(recoveryFiles(files).complete, { force: true }); // of an interrupted recovery: outdated from now on
    truncateLog(files.log, log.end);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

function checkImage(image: Database.Database, { files, log, content }: RecoveryOptions): void {
  const isMarked = log.pages === 0 || reading(image, files.database, () => checkMarks(image, files, log));
  checkDatabase(image, files.database, content);
  content.checkRows(image, files.database);
  if (!isMarked) content.checkSeals(image, files.database);
}

/**
 * Returns false if the log has no marks, because an older release wrote it. Throws if the marks do not belong to this
 * database.
 */
function checkMarks(image: Database.Database, files: StoreFiles, { pageSize, first, last }: CommittedLog): boolean {
  const page = markPage(image);
  if (page === undefined) return false;
  const inLog = (pages: ReadonlyMap<number, number>): LogMark | undefined => {
    const at = pages.get(page);
    return at === undefined ? undefined : markOn(readAt(files.log, at, pageSize));
  };
  const stored = markOn(pageOf(files.database, page, pageSize));
  if (isContinued(stored, inLog(first), inLog(last))) return true;
  const message = `${files.log} does not belong to ${files.database}: it is from another store or from another time`;
  throw new StoreRefused("damaged", `${message}; put the original log back, or restore both from the same copy`);
}

/** Removes a temporary database, and the files that SQLite may have left beside it. */
export function removeDatabase(file: string): void {
  for (const suffix of ["", "-wal", "-journal"]) rmSync(`${file}${suffix}`, { force: true });
}

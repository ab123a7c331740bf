import { existsSync, renameSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import Database from "better-sqlite3";
import { connect, isHeld } from "./database-connection.ts";
import { cutLog } from "./cut-log.ts";
import { type FreeBytes, isOutOfSpace } from "./free-space.ts";
import { isContinued, type LogMark, markOn, markPage } from "./log-mark.ts";
import type { CommittedLog } from "./log-reading.ts";
import { whileAlone } from "./start-lock.ts";
import { inUse } from "./storage-error.ts";
import { checkDatabase, reading, type StoreContent } from "./store-checks.ts";
import { imageBytes, imageInMemory, pageOf, readAt, type StoreFiles, writeImage } from "./store-image.ts";
import { StoreRefused } from "./store-refused.ts";
import { syncFolder } from "./sync-folder.ts";

/** What is left free beside a new file, so that other programs do not meet a full disk. */
const SPARE_BYTES = 16 * 1024 * 1024;

/** What a recovery works on. */
export interface RecoveryOptions {
  readonly files: StoreFiles;
  readonly log: CommittedLog;
  readonly content: StoreContent;
  readonly freeBytes: FreeBytes;
  /** Throws when the files are no longer what was read. Called when no other server can open them. */
  readonly confirm: () => void;
}

/** The names of a recovery: of the new file while it is made and once it is whole, and of a log that is in it. */
export interface RecoveryFiles {
  readonly partial: string;
  readonly whole: string;
  readonly folded: string;
}

export function recoveryFiles({ database }: StoreFiles): RecoveryFiles {
  return { partial: `${database}.recovering`, whole: `${database}.recovered`, folded: `${database}.folded` };
}

/**
 * Opens a store whose server was killed: the log has commits, or the beginning of one. All checks are made on an image of
 * what the database and the log are together. The image is a new file, which then takes the place of both; where the disk
 * has no room for one, it is in memory, and the log stays until there is room to fold it. Until every check has passed,
 * neither file is written. Throws {@link StoreRefused}, or what SQLite or the file system says.
 */
export function recover(options: RecoveryOptions): Database.Database {
  const { files } = options;
  if (!makeWhole(options)) return inPlace(options);
  return connect(files.database);
}

/** Whether there was room. */
function makeWhole(options: RecoveryOptions): boolean {
  const { files, log, freeBytes } = options;
  if (freeBytes() < imageBytes(files, log) + SPARE_BYTES) return false;
  return whileAlone(files.database, () => makeAlone(options));
}

function makeAlone(options: RecoveryOptions): boolean {
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

/** A quota shows only when something is written. */
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
 * Ends a recovery that was cut short when its file was whole and the log was already gone. The file is checked again,
 * since it may have come from anywhere.
 */
export function finishRecovery(files: StoreFiles, content: StoreContent, confirm: () => void): Database.Database {
  const { whole } = recoveryFiles(files);
  whileAlone(files.database, () => {
    checkImageFile(whole, (image) => {
      checkDatabase(image, whole, content);
      content.checkRows(image, whole);
    });
    replace(files, whole, confirm);
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
 * Puts a checked file in the place of the database and its log. Each step is durable before the next one: a start after
 * any of them finds the old database with its log, or a whole file and no log, or nothing but the new database.
 *
 * The log loses its name before the lock is taken. SQLite never sees it, and so can't fold it when something fails here.
 */
function replace(files: StoreFiles, image: string, confirm: () => void): void {
  const { whole, folded } = recoveryFiles(files);
  const folder = dirname(files.database);
  if (isHeld(files.database)) throw new StoreRefused("in use", inUse(files.database));
  confirm();
  renameSync(image, whole);
  syncFolder(folder);
  const hasLog = existsSync(files.log);
  if (hasLog) renameSync(files.log, folded);
  const undo = () => {
    if (hasLog) renameSync(folded, files.log);
    if (image !== whole) renameSync(whole, image);
  };
  const old = lockOr(undo, files.database); // keeps every other server out
  try {
    syncFolder(folder);
    renameSync(whole, files.database);
    syncFolder(folder);
    rmSync(folded, { force: true });
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

/** Serves from the files as they are. */
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
    rmSync(recoveryFiles(files).whole, { force: true }); // of a recovery that was cut short: out of date from now on
    cutLog(files.log, log.end);
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

/** Whether the log has marks: those of older releases have none. Throws when the marks are not of this database. */
function checkMarks(image: Database.Database, files: StoreFiles, { pageSize, first, last }: CommittedLog): boolean {
  const page = markPage(image);
  if (page === undefined) return false;
  const inLog = (pages: ReadonlyMap<number, number>): LogMark | undefined => {
    const at = pages.get(page);
    return at === undefined ? undefined : markOn(readAt(files.log, at, pageSize));
  };
  const stored = markOn(pageOf(files.database, page, pageSize));
  if (isContinued(stored, inLog(first), inLog(last))) return true;
  const message = `${files.log} does not belong to ${files.database}: it is of another store, or of another time`;
  throw new StoreRefused("damaged", `${message}; put back the one that was there, or restore both from the same copy`);
}

/** Removes a database that nothing needs, and what SQLite may have left beside it. */
export function removeDatabase(file: string): void {
  for (const suffix of ["", "-wal", "-journal"]) rmSync(`${file}${suffix}`, { force: true });
}

import { closeSync, fstatSync, ftruncateSync, openSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import Database from "better-sqlite3";
import type { Shortage } from "../store/journal.ts";
import { type FreeBytes, isOutOfSpace } from "./free-space.ts";
import { LOG_HEADER_BYTES, TRIAL } from "./log-frame.ts";

/** What finds out whether a quota takes more; a quota counts in blocks. In an empty log it is no damage (log-reading.ts). */
const PIECE = Buffer.concat([TRIAL, Buffer.alloc(64 * 1024 - TRIAL.length)]);

/** Why a commit or a checkpoint is not begun, or did not get through. Not what a caller learns. */
export class OutOfSpace extends Error {
  override readonly name = "OutOfSpace";
  readonly shortage: Shortage;

  constructor(folder: string, shortage: Shortage) {
    const { free, needed } = shortage;
    const quota = free >= needed ? ", and a quota is used up" : "";
    super(`${folder} has ${free} bytes left${quota}, and the next commit may take ${needed}`);
    this.shortage = shortage;
  }
}

/**
 * The room for the next commit. The file system tells what is free, but not what a quota leaves of it: that shows when a
 * write fails. From then on, what fails for want of room is found out by writing, and no longer believed.
 */
export class DiskSpace {
  readonly #folder: string;
  readonly #log: string;
  readonly #freeBytes: FreeBytes;
  #isDoubted = false;

  constructor(database: string, freeBytes: FreeBytes) {
    this.#folder = dirname(database);
    this.#log = `${database}-wal`;
    this.#freeBytes = freeBytes;
  }

  get free(): number {
    return this.#freeBytes();
  }

  /** What keeps so many bytes from being written; undefined: nothing that is known. */
  shortage(needed: number): OutOfSpace | undefined {
    const free = this.free;
    if (free < needed) return this.outOfSpace(needed);
    if (!this.#isDoubted) return undefined;
    this.#isDoubted = isRefused(this.#log, needed);
    return this.#isDoubted ? this.outOfSpace(needed) : undefined;
  }

  /** Whether SQLite could not write so many bytes because there is no room. SQLite tells a quota as an I/O error. */
  explains(error: unknown, needed: number): boolean {
    const code = error instanceof Database.SqliteError ? error.code : "";
    if (code !== "SQLITE_FULL" && code !== "SQLITE_IOERR_WRITE") return false;
    const isFull = code === "SQLITE_FULL" || isRefused(this.#log, needed);
    this.#isDoubted ||= isFull;
    return isFull;
  }

  outOfSpace(needed: number): OutOfSpace {
    return new OutOfSpace(this.#folder, { free: this.free, needed });
  }
}

/**
 * Whether a log takes no more bytes for want of room. Finds out by appending bytes that are no frames, and by taking them
 * away again.
 */
function isRefused(log: string, bytes: number): boolean {
  const descriptor = openSync(log, "r+");
  const { size } = fstatSync(descriptor);
  try {
    append(descriptor, size < LOG_HEADER_BYTES ? 0 : size, bytes);
    return false;
  } catch (error) {
    return isOutOfSpace(error);
  } finally {
    ftruncateSync(descriptor, size);
    closeSync(descriptor);
  }
}

function append(descriptor: number, start: number, bytes: number): void {
  for (let done = 0; done < bytes; ) {
    done += writeSync(descriptor, PIECE, 0, Math.min(PIECE.length, bytes - done), start + done);
  }
}

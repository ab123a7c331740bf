import { closeSync, fstatSync, ftruncateSync, openSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import Database from "better-sqlite3";
import type { Shortage } from "../store/journal.ts";
import { type FreeBytes, isOutOfSpace } from "./free-space.ts";
import { LOG_HEADER_BYTES, TRIAL } from "./log-frame.ts";

/**
 * The bytes that are written to find out whether a quota allows more. They fill blocks, because quotas count blocks. A
 * log without frames that begins with them does not count as damaged (log-reading.ts).
 */
const PIECE = Buffer.concat([TRIAL, Buffer.alloc(64 * 1024 - TRIAL.length)]);

/** There is too little space for a commit or a checkpoint. For the log and probes; callers get DISK_FULL. */
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
 * The disk space for the next commit. The file system reports its free space, but not how much of it a quota allows.
 * That shows only when a write fails. From then on, this class writes trial bytes before it reports that there is
 * enough space.
 */
export class DiskSpace {
  readonly #folder: string;
  readonly #log: string;
  readonly #freeBytes: FreeBytes;
  #mayHaveQuota = false;

  constructor(database: string, freeBytes: FreeBytes) {
    this.#folder = dirname(database);
    this.#log = `${database}-wal`;
    this.#freeBytes = freeBytes;
  }

  get free(): number {
    return this.#freeBytes();
  }

  /** Why `needed` bytes can't be written; undefined if no reason is known. */
  shortage(needed: number): OutOfSpace | undefined {
    const free = this.free;
    if (free < needed) return this.outOfSpace(needed);
    if (!this.#mayHaveQuota) return undefined;
    this.#mayHaveQuota = isRefused(this.#log, needed);
    return this.#mayHaveQuota ? this.outOfSpace(needed) : undefined;
  }

  /**
   * Whether an error means that there was no space for `needed` bytes. SQLite reports an exceeded quota as an I/O
   * error.
   */
  explains(error: unknown, needed: number): boolean {
    const code = error instanceof Database.SqliteError ? error.code : "";
    if (code !== "SQLITE_FULL" && code !== "SQLITE_IOERR_WRITE") return false;
    const isFull = code === "SQLITE_FULL" || isRefused(this.#log, needed);
    this.#mayHaveQuota ||= isFull;
    return isFull;
  }

  outOfSpace(needed: number): OutOfSpace {
    return new OutOfSpace(this.#folder, { free: this.free, needed });
  }
}

/**
 * Whether the disk has no space for `bytes` more bytes of a log. It appends bytes that are not frames, then truncates
 * the log again.
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

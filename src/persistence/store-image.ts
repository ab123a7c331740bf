import { closeSync, constants, fsyncSync, openSync, readSync, statSync, writeSync } from "node:fs";
import type { CommittedLog } from "./log-reading.ts";
import { openPrivate } from "./private-create.ts";

/** The number of bytes to read and write at a time; a multiple of every page size. */
const CHUNK_BYTES = 1024 * 1024;

/** The files of a database and its log. */
export interface StoreFiles {
  readonly database: string;
  readonly log: string;
}

/** The offset of two bytes in the header of a database: 2 in WAL mode, 1 in every other journal mode. */
const JOURNAL_FORMAT_AT = 18;

/**
 * Writes the database with the changes of its log to a new file, and syncs that file. It does not change the database
 * or its log. After a failed write of the log, the kernel's cache can contain data of the log that never reached the
 * disk. Only a new file that was synced has all of that data on the disk.
 */
export function writeImage(files: StoreFiles, log: CommittedLog, target: string): void {
  const descriptor = openPrivate(target, true);
  try {
    for (const chunk of chunksOf(files, log))
      for (let at = 0; at < chunk.length; ) at += writeSync(descriptor, chunk, at);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** As {@link writeImage}, but in memory, in a form that SQLite opens without files. */
export function imageInMemory(files: StoreFiles, log: CommittedLog): Buffer {
  const image = Buffer.alloc(imageBytes(files, log));
  let at = 0;
  for (const chunk of chunksOf(files, log)) at += chunk.copy(image, at);
  image.fill(1, JOURNAL_FORMAT_AT, JOURNAL_FORMAT_AT + 2);
  return image;
}

/** The size of the image in bytes. */
export function imageBytes({ database }: StoreFiles, { pages, pageSize }: CommittedLog): number {
  return pages === 0 ? statSync(database).size : pages * pageSize;
}

/** Reads one page of a database file, without the changes of its log; zeros beyond the end of the file. */
export function pageOf(file: string, page: number, pageSize: number): Buffer {
  return readAt(file, (page - 1) * pageSize, pageSize);
}

/** Reads a part of a file; zeros beyond its end. */
export function readAt(file: string, position: number, length: number): Buffer {
  const descriptor = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const bytes = Buffer.alloc(length);
    readSync(descriptor, bytes, 0, length, position);
    return bytes;
  } finally {
    closeSync(descriptor);
  }
}

/** Returns the image in chunks, in order. Each chunk is valid until the next one is read. */
function* chunksOf(files: StoreFiles, log: CommittedLog): Generator<Buffer> {
  const database = openSync(files.database, constants.O_RDONLY | constants.O_NOFOLLOW);
  const logFile = log.pages === 0 ? undefined : openSync(files.log, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const size = imageBytes(files, log);
    const chunk = Buffer.alloc(CHUNK_BYTES);
    for (let position = 0; position < size; position += CHUNK_BYTES) {
      const length = Math.min(CHUNK_BYTES, size - position);
      const read = readSync(database, chunk, 0, length, position);
      chunk.fill(0, read, length);
      if (logFile !== undefined) overlay(chunk.subarray(0, length), position, log, logFile);
      yield chunk.subarray(0, length);
    }
  } finally {
    closeSync(database);
    if (logFile !== undefined) closeSync(logFile);
  }
}

/** Replaces the pages of a chunk by those in the log. */
function overlay(chunk: Buffer, position: number, { pageSize, last }: CommittedLog, logFile: number): void {
  for (let at = 0; at < chunk.length; at += pageSize) {
    const inLog = last.get((position + at) / pageSize + 1);
    if (inLog !== undefined) readSync(logFile, chunk, at, pageSize, inLog);
  }
}

import { closeSync, constants, fsyncSync, openSync, readSync, statSync, writeSync } from "node:fs";
import type { CommittedLog } from "./log-reading.ts";
import { openPrivate } from "./private-create.ts";

/** How many bytes are read and written at a time; a multiple of every page size. */
const CHUNK_BYTES = 1024 * 1024;

/** A database and the log beside it, both as files. */
export interface StoreFiles {
  readonly database: string;
  readonly log: string;
}

/** The bytes 18 and 19 of a database: 2 where it has a log, 1 where it has a rollback journal or none. */
const JOURNAL_FORMAT_AT = 18;

/**
 * Writes the database as its log leaves it into a new file, and syncs that. Neither of the two is changed. After a write
 * of the log that failed, the kernel may have in memory what never reached the disk: only a new file has all of it.
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

/** The same in memory, in a form that SQLite opens without files. */
export function imageInMemory(files: StoreFiles, log: CommittedLog): Buffer {
  const image = Buffer.alloc(imageBytes(files, log));
  let at = 0;
  for (const chunk of chunksOf(files, log)) at += chunk.copy(image, at);
  image.fill(1, JOURNAL_FORMAT_AT, JOURNAL_FORMAT_AT + 2);
  return image;
}

/** The size of the image. */
export function imageBytes({ database }: StoreFiles, { pages, pageSize }: CommittedLog): number {
  return pages === 0 ? statSync(database).size : pages * pageSize;
}

/** One page of a database file, as it is without its log; zeros where the file is shorter. */
export function pageOf(file: string, page: number, pageSize: number): Buffer {
  return readAt(file, (page - 1) * pageSize, pageSize);
}

/** A piece of a file; zeros where the file is shorter. */
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

/** The image from its beginning to its end. Each chunk is valid until the next one. */
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

/** Replaces the pages of a chunk that the log has. */
function overlay(chunk: Buffer, position: number, { pageSize, last }: CommittedLog, logFile: number): void {
  for (let at = 0; at < chunk.length; at += pageSize) {
    const inLog = last.get((position + at) / pageSize + 1);
    if (inLog !== undefined) readSync(logFile, chunk, at, pageSize, inLog);
  }
}

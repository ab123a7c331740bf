import { readFileSync, statSync } from "node:fs";
import { describeDenial } from "./file-access.ts";
import { describeWriters, otherWriters } from "./file-writers.ts";
import { PrivateFileError, readPrivateFile } from "./private-file.ts";
import type { Timers } from "../domain/timers.ts";

/**
 * Certificates, bundles and policies have a few kilobytes. A larger file is a wrong file, and could fill the memory.
 */
const MAX_BYTES = 1024 * 1024;

/**
 * The result of reading a file.
 * - absent: the file does not exist or is empty, possibly because it is being written. `problem` follows
 *   the file's name.
 * - unusable: the file exists, but can't or must not be read. `problem` includes the file's name.
 */
export type Reading =
  | { readonly kind: "absent"; readonly problem: string }
  | { readonly kind: "unusable"; readonly problem: string }
  | { readonly kind: "bytes"; readonly bytes: Buffer };

/** The file exists and must not be used. `message` includes its name. */
class Unusable extends Error {}

/** Reads a file. Throws {@link Unusable}, or an error of node:fs. */
type Read = (path: string) => Buffer;

/** A file that is read repeatedly, and the time since which it has not changed. */
export class ObservedFile {
  readonly path: string;
  readonly #read: Read;
  readonly #timers: Timers;
  #reading: Reading;
  /** In milliseconds of the monotonic clock. */
  #changedAt: number;

  private constructor(path: string, read: Read, timers: Timers) {
    this.path = path;
    this.#read = read;
    this.#timers = timers;
    this.#reading = look(path, read);
    this.#changedAt = timers.elapsed() - ageOf(path, this.#reading, timers.clock());
  }

  /** A file of at most 1 MiB, with any mode. */
  static public(path: string, timers: Timers): ObservedFile {
    return new ObservedFile(path, readPublic, timers);
  }

  /**
   * A file of at most 1 MiB that decides which peers are trusted. It is unusable if every user can write it, or a group
   * other than this process's own.
   */
  static trusted(path: string, timers: Timers): ObservedFile {
    return new ObservedFile(path, readTrusted, timers);
  }

  /** A private file of at most 1 MiB, see {@link readPrivateFile}. */
  static private(path: string, timers: Timers): ObservedFile {
    return new ObservedFile(path, readPrivate, timers);
  }

  /** The result of the last read. */
  get reading(): Reading {
    return this.#reading;
  }

  /** How long the file has not changed, in milliseconds. Infinite for a file that has always been absent. */
  get unchangedMs(): number {
    return this.#timers.elapsed() - this.#changedAt;
  }

  /** Reads the file again, and returns whether the result has changed. */
  look(): boolean {
    const reading = look(this.path, this.#read);
    if (isSame(this.#reading, reading)) return false;
    this.#reading = reading;
    this.#changedAt = this.#timers.elapsed();
    return true;
  }
}

function look(path: string, read: Read): Reading {
  try {
    // This detects a missing file, for which readPrivateFile throws the same error as for a file that it refuses.
    statSync(path);
    const bytes = read(path);
    return bytes.length === 0 ? { kind: "absent", problem: "is empty" } : { kind: "bytes", bytes };
  } catch (error) {
    if (error instanceof Unusable) return { kind: "unusable", problem: error.message };
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return { kind: "absent", problem: "does not exist" };
    return { kind: "unusable", problem: `${path} ${describeDenial(path, code)}` };
  }
}

function readPublic(path: string): Buffer {
  const stats = statSync(path);
  // Reading a named pipe would wait for a writer, possibly forever.
  if (!stats.isFile()) throw new Unusable(`${path} is not a regular file`);
  if (stats.size > MAX_BYTES) throw new Unusable(`${path} is larger than ${MAX_BYTES} bytes`);
  return readFileSync(path);
}

function readTrusted(path: string): Buffer {
  const stats = statSync(path);
  const writers = otherWriters(stats);
  const isOpen = writers === "every user" || writers === "group";
  if (isOpen && stats.isFile()) throw new Unusable(`${path} ${describeWriters(writers, stats, path)}`);
  return readPublic(path);
}

function readPrivate(path: string): Buffer {
  try {
    return readPrivateFile(path);
  } catch (error) {
    if (!(error instanceof PrivateFileError)) throw error;
    throw new Unusable(error.message);
  }
}

function isSame(left: Reading, right: Reading): boolean {
  if (left.kind === "bytes" && right.kind === "bytes") return left.bytes.equals(right.bytes);
  if (left.kind === "bytes" || right.kind === "bytes") return false;
  return left.kind === right.kind && left.problem === right.problem;
}

/** How long ago a file was written, in milliseconds; 0 if its modification time is in the future. */
function ageOf(path: string, { kind }: Reading, now: number): number {
  if (kind === "absent") return Number.POSITIVE_INFINITY;
  try {
    return Math.max(0, now - statSync(path).mtimeMs);
  } catch {
    return 0;
  }
}

import { readFileSync, statSync } from "node:fs";
import { describeDenial } from "./file-access.ts";
import { describeWriters, otherWriters } from "./file-writers.ts";
import { PrivateFileError, readPrivateFile } from "./private-file.ts";
import type { Timers } from "../domain/timers.ts";

/** Certificates and bundles have a few kilobytes, a policy rarely more. More is a wrong file, and would fill our memory. */
const MAX_BYTES = 1024 * 1024;

/**
 * What a look at a file found.
 * - absent: it does not exist or is empty, perhaps only until somebody writes it. `problem` completes the sentence that
 *   the file's name begins.
 * - unusable: it is there and can't be read, or must not be. `problem` is a whole sentence.
 */
export type Reading =
  | { readonly kind: "absent"; readonly problem: string }
  | { readonly kind: "unusable"; readonly problem: string }
  | { readonly kind: "bytes"; readonly bytes: Buffer };

/** A file that is there and must not be used. `message` is a whole sentence. */
class Unusable extends Error {}

/** How a file is read. Throws {@link Unusable}, and what node:fs throws when it can't be read. */
type Read = (path: string) => Buffer;

/** A file that is looked at again and again, and since when it is as it is. */
export class ObservedFile {
  readonly path: string;
  readonly #read: Read;
  readonly #timers: Timers;
  #reading: Reading;
  /** By the monotonic clock. */
  #changedAt: number;

  private constructor(path: string, read: Read, timers: Timers) {
    this.path = path;
    this.#read = read;
    this.#timers = timers;
    this.#reading = look(path, read);
    this.#changedAt = timers.elapsed() - ageOf(path, this.#reading, timers.clock());
  }

  /** A file that anybody may read, of at most 1 MiB. */
  static public(path: string, timers: Timers): ObservedFile {
    return new ObservedFile(path, readPublic, timers);
  }

  /** The same, of a file that decides whom we trust: refused when everybody may change it, or a group that is not ours. */
  static trusted(path: string, timers: Timers): ObservedFile {
    return new ObservedFile(path, readTrusted, timers);
  }

  /** A file that only its owner may read: see readPrivateFile. */
  static private(path: string, timers: Timers): ObservedFile {
    return new ObservedFile(path, readPrivate, timers);
  }

  /** What the last look found. */
  get reading(): Reading {
    return this.#reading;
  }

  /** For how long nothing has changed, in milliseconds. A file that was absent from the start never did. */
  get unchangedMs(): number {
    return this.#timers.elapsed() - this.#changedAt;
  }

  /** Looks again, and tells whether anything is different. */
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
    // Asked first, because readPrivateFile does not tell a file that is absent from one that it refuses.
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
  // Reading a named pipe would wait for a writer, perhaps for ever.
  if (!stats.isFile()) throw new Unusable(`${path} is not a regular file`);
  if (stats.size > MAX_BYTES) throw new Unusable(`${path} is larger than ${MAX_BYTES} bytes`);
  return readFileSync(path);
}

function readTrusted(path: string): Buffer {
  const stats = statSync(path);
  const writers = otherWriters(stats);
  const isOpen = writers === "everybody" || writers === "group";
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

/** How long ago a file was written when it is first seen, in milliseconds. A time in the future tells nothing. */
function ageOf(path: string, { kind }: Reading, now: number): number {
  if (kind === "absent") return Number.POSITIVE_INFINITY;
  try {
    return Math.max(0, now - statSync(path).mtimeMs);
  } catch {
    return 0;
  }
}

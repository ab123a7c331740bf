import { constants } from "node:fs";
import type { FileSystem } from "./file-system.ts";

/** Who may read a file. */
export interface FileRights {
  /** The permission bits, such as 0o400. */
  readonly mode: number;
  /** The user id of the owner; undefined for that of the agent. */
  readonly owner: number | undefined;
  /** The group id; undefined for the one that the system chooses. */
  readonly group: number | undefined;
}

/** A file that a destination is expected to have. */
export interface ExpectedFile {
  /** One component of a path. */
  readonly name: string;
  /** undefined: any content. */
  readonly content: Uint8Array | undefined;
  readonly rights: FileRights;
}

/** A file that has to be written, unless it is there already. */
export interface WantedFile extends ExpectedFile {
  readonly content: Uint8Array;
}

/**
 * The place to which a target is written. At every moment, also after the process was killed, a reader finds either the
 * complete old state or the complete new one.
 */
export interface Destination {
  /** The names of the files that are there. */
  names(): readonly string[];
  /**
   * Whether exactly these files are there already, with this content and these rights. An empty list: whether none is
   * there.
   */
  holds(files: readonly ExpectedFile[]): boolean;
  /** Replaces the state by these files, all at once. With `marked`, {@link isMarked} is true from then on. */
  replace(files: readonly WantedFile[], marked: boolean): void;
  /** Finishes a replacement for which {@link holds} returns true: a process may have been killed during it. */
  complete(files: readonly ExpectedFile[]): void;
  /** Whether the command for the current state is still due. The mark survives the process, and has no content. */
  isMarked(): boolean;
  /** Removes the mark, if there is one. */
  unmark(): void;
}

/** The destination has something that is not the agent's. */
export class DestinationProblem extends Error {
  override readonly name = "DestinationProblem";
}

/**
 * A user who may write to the directory can put a link or a named pipe where a file is expected. Opening a pipe would
 * block the whole agent until its other end is opened.
 */
const UNFOLLOWED = constants.O_NOFOLLOW | constants.O_NONBLOCK;

/**
 * Writes a new file. O_EXCL: never writes to a file or through a link that another user created with that name. The
 * content is on the disk before the caller renames the file, for a destination that is not in memory.
 */
export function writeNewFile(files: FileSystem, path: string, { content, rights }: WantedFile): void {
  const flags = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY | constants.O_NOFOLLOW;
  const descriptor = files.openSync(path, flags, 0o400);
  try {
    files.writeFileSync(descriptor, content);
    const { owner, group } = rights;
    // -1 leaves the owner or the group as it is (chown(2)).
    if (owner !== undefined || group !== undefined) files.fchownSync(descriptor, owner ?? -1, group ?? -1);
    files.fchmodSync(descriptor, rights.mode);
    files.fsyncSync(descriptor);
  } finally {
    files.closeSync(descriptor);
  }
}

/** Whether a file has this content and these rights. A file that this process can't read counts as different. */
export function isSameFile(files: FileSystem, path: string, { content, rights }: ExpectedFile): boolean {
  const stats = files.lstatSync(path, { throwIfNoEntry: false });
  if (!stats?.isFile() || (stats.mode & 0o7777) !== rights.mode) return false;
  if (stats.uid !== (rights.owner ?? stats.uid) || stats.gid !== (rights.group ?? stats.gid)) return false;
  return content === undefined || (stats.size === content.length && hasContent(files, path, content));
}

function hasContent(files: FileSystem, path: string, content: Uint8Array): boolean {
  const found = readIfPermitted(files, path);
  const isSame = found?.equals(content) ?? false;
  found?.fill(0);
  return isSame;
}

function readIfPermitted(files: FileSystem, path: string): Buffer | undefined {
  let descriptor: number;
  try {
    descriptor = files.openSync(path, constants.O_RDONLY | UNFOLLOWED);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EACCES") return undefined;
    throw error;
  }
  try {
    return files.readFileSync(descriptor);
  } finally {
    files.closeSync(descriptor);
  }
}

/** Creates an empty file that marks a destination, or leaves it as it is. */
export function createMark(files: FileSystem, path: string): void {
  files.closeSync(files.openSync(path, constants.O_CREAT | constants.O_WRONLY | UNFOLLOWED, 0o600));
}

/**
 * Removes a state, and marks its destination with {@link createMark}. A full file system has no space for the mark until the
 * files are removed, and must not keep them.
 */
export function removeAndMark(files: FileSystem, mark: string, remove: () => void): void {
  const isMarked = hasSpace(() => createMark(files, mark));
  remove();
  if (!isMarked) createMark(files, mark);
}

function hasSpace(task: () => void): boolean {
  try {
    task();
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOSPC" || code === "EDQUOT") return false;
    throw error;
  }
}

/** Removes a file, if it exists. */
export function removeFile(files: FileSystem, path: string): void {
  files.rmSync(path, { force: true });
}

/** Whether there is something with this path, even a link to nothing. */
export function exists(files: FileSystem, path: string): boolean {
  return files.lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

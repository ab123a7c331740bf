import { constants } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../domain/timers.ts";
import {
  type Destination,
  DestinationProblem,
  type ExpectedFile,
  type WantedFile,
  createMark,
  exists,
  isSameFile,
  removeAndMark,
  removeFile,
  writeNewFile,
} from "./destination.ts";
import type { FileSystem } from "./file-system.ts";

/** The link to the folder with the current files. */
const DATA = "..data";

/** The next link, before it is renamed to {@link DATA}. */
const NEXT_DATA = "..data_tmp";

const MARK = "..pending";

/** The folders that {@link FileSet} creates. The names that Kubernetes uses differ only in their last part. */
const FOLDER = /^\.\.\d{4}_\d{2}_\d{2}_\d{2}_\d{2}_\d{2}\.[A-Za-z0-9]{6}$/;

/** The beginning of the names that the set needs for itself. No file of a set may have such a name. */
const RESERVED = "..";

/** What a {@link FileSet} needs. */
export interface FileSetOptions {
  readonly directory: string;
  readonly files: FileSystem;
  readonly clock: Clock;
}

/**
 * A directory whose files change all at once, in the way of Kubernetes' AtomicWriter (pkg/volume/util/atomic_writer.go):
 * the files are in a folder that never changes, the link `..data` leads to it, and each name in the directory is a link
 * through `..data`. A rename of that link replaces the whole set. Files that are not the set's own are never changed.
 */
export class FileSet implements Destination {
  readonly #directory: string;
  readonly #files: FileSystem;
  readonly #clock: Clock;

  constructor({ directory, files, clock }: FileSetOptions) {
    this.#directory = directory;
    this.#files = files;
    this.#clock = clock;
  }

  /** Whether a file of a set may have this name. */
  static isAllowed(name: string): boolean {
    return name !== "" && name !== "." && !name.startsWith(RESERVED) && !/[/\p{C}]/u.test(name) && name.length <= 253;
  }

  names(): readonly string[] {
    const current = this.#current();
    if (current === undefined || !exists(this.#files, this.#path(current))) return [];
    return this.#files.readdirSync(this.#path(current));
  }

  holds(expected: readonly ExpectedFile[]): boolean {
    const current = this.#current();
    if (current === undefined) return expected.length === 0;
    const folder = this.#path(current);
    if (!exists(this.#files, folder)) return false;
    const names = this.#files.readdirSync(folder);
    return (
      names.length === expected.length &&
      expected.every((file) => isSameFile(this.#files, join(folder, file.name), file))
    );
  }

  replace(wanted: readonly WantedFile[], marked: boolean): void {
    this.#files.mkdirSync(this.#directory, { recursive: true, mode: 0o755 });
    this.#checkNames(wanted);
    this.#removeOldFolders();
    if (wanted.length === 0) this.#remove(marked);
    else this.#swap(wanted, marked);
    this.complete(wanted);
  }

  #remove(marked: boolean): void {
    const remove = () => removeFile(this.#files, this.#path(DATA));
    if (marked) removeAndMark(this.#files, this.#path(MARK), remove);
    else remove();
  }

  #swap(wanted: readonly WantedFile[], marked: boolean): void {
    try {
      this.#write(wanted, marked);
    } catch (error) {
      // An incomplete set would take the space of a full file system from the files of other targets.
      this.#removeOldFolders();
      throw error;
    }
  }

  #write(wanted: readonly WantedFile[], marked: boolean): void {
    const folder = this.#files.mkdtempSync(this.#path(`..${timestamp(this.#clock())}.`));
    for (const file of wanted) writeNewFile(this.#files, join(folder, file.name), file);
    this.#open(folder);
    if (marked) createMark(this.#files, this.#path(MARK));
    this.#files.symlinkSync(folder.slice(this.#directory.length + 1), this.#path(NEXT_DATA));
    this.#files.renameSync(this.#path(NEXT_DATA), this.#path(DATA));
  }

  complete(wanted: readonly ExpectedFile[]): void {
    if (!exists(this.#files, this.#directory)) return;
    this.#checkNames(wanted);
    const names = wanted.map(({ name }) => name);
    for (const name of names) {
      if (!this.#isOwnLink(name)) this.#files.symlinkSync(`${DATA}/${name}`, this.#path(name));
    }
    for (const name of this.#entries()) {
      if (!names.includes(name) && this.#isOwnLink(name)) this.#files.unlinkSync(this.#path(name));
    }
    this.#removeOldFolders();
  }

  isMarked(): boolean {
    return exists(this.#files, this.#path(MARK));
  }

  unmark(): void {
    removeFile(this.#files, this.#path(MARK));
  }

  /**
   * Lets others into a folder, which mkdtemp has created with the mode 0700. The mode of each file decides who may read
   * it. O_NOFOLLOW: a user who may write to the directory could have replaced the folder by a link to any other one.
   */
  #open(folder: string): void {
    const descriptor = this.#files.openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    try {
      this.#files.fchmodSync(descriptor, 0o755);
    } finally {
      this.#files.closeSync(descriptor);
    }
  }

  /** The name of the folder to which `..data` leads; undefined if there is no such link. */
  #current(): string | undefined {
    const path = this.#path(DATA);
    const stats = this.#files.lstatSync(path, { throwIfNoEntry: false });
    if (stats === undefined) return undefined;
    const target = stats.isSymbolicLink() ? this.#files.readlinkSync(path) : "";
    if (FOLDER.test(target)) return target;
    throw new DestinationProblem(`${path} is not a link of the agent; use a directory that no other program writes`);
  }

  #checkNames(wanted: readonly ExpectedFile[]): void {
    // Throws if `..data` belongs to another program.
    this.#current();
    for (const { name } of wanted) {
      const path = this.#path(name);
      if (this.#isOwnLink(name) || !exists(this.#files, path)) continue;
      throw new DestinationProblem(`${path} exists and is not a file of the agent; move it, or use another name`);
    }
  }

  #isOwnLink(name: string): boolean {
    const path = this.#path(name);
    const stats = this.#files.lstatSync(path, { throwIfNoEntry: false });
    return (stats?.isSymbolicLink() ?? false) && this.#files.readlinkSync(path) === `${DATA}/${name}`;
  }

  /** Removes the folders of earlier sets, and what a process that was killed has left. */
  #removeOldFolders(): void {
    const current = this.#current();
    for (const name of this.#entries()) {
      const isOld = FOLDER.test(name) && name !== current;
      if (isOld) this.#files.rmSync(this.#path(name), { recursive: true });
      if (name === NEXT_DATA) this.#files.unlinkSync(this.#path(name));
    }
  }

  #entries(): string[] {
    return this.#files.readdirSync(this.#directory);
  }

  #path(name: string): string {
    return `${this.#directory}/${name}`;
  }
}

/** 2026_11_26_17_05_12, in UTC. */
function timestamp(now: number): string {
  return new Date(now).toISOString().slice(0, 19).replace(/[-T:]/g, "_");
}

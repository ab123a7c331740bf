import { randomBytes } from "node:crypto";
import { basename, dirname, join } from "node:path";
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

/**
 * One file, which a rename replaces. A reader sees the complete old content or the complete new one. The list of files
 * has one entry, with the name of this file, or none.
 */
export class SingleFile implements Destination {
  readonly #path: string;
  readonly #files: FileSystem;

  constructor(path: string, files: FileSystem) {
    this.#path = path;
    this.#files = files;
  }

  names(): readonly string[] {
    return exists(this.#files, this.#path) ? [basename(this.#path)] : [];
  }

  holds([expected]: readonly ExpectedFile[]): boolean {
    return expected === undefined ? !exists(this.#files, this.#path) : isSameFile(this.#files, this.#path, expected);
  }

  replace([wanted]: readonly WantedFile[], marked: boolean): void {
    this.#files.mkdirSync(dirname(this.#path), { recursive: true, mode: 0o755 });
    this.#check();
    this.#removeTemporaries();
    if (wanted === undefined) this.#remove(marked);
    else this.#swap(wanted, marked);
  }

  #remove(marked: boolean): void {
    const remove = () => removeFile(this.#files, this.#path);
    if (marked) removeAndMark(this.#files, this.#mark, remove);
    else remove();
  }

  #swap(wanted: WantedFile, marked: boolean): void {
    try {
      const temporary = this.#beside(randomBytes(6).toString("hex"));
      writeNewFile(this.#files, temporary, wanted);
      if (marked) createMark(this.#files, this.#mark);
      this.#files.renameSync(temporary, this.#path);
    } catch (error) {
      // An incomplete file would take the space of a full file system from the files of other targets.
      this.#removeTemporaries();
      throw error;
    }
  }

  complete(): void {
    if (exists(this.#files, dirname(this.#path))) this.#removeTemporaries();
  }

  isMarked(): boolean {
    return exists(this.#files, this.#mark);
  }

  unmark(): void {
    removeFile(this.#files, this.#mark);
  }

  /** Refuses anything but a regular file. A link would be replaced instead of followed. */
  #check(): void {
    const stats = this.#files.lstatSync(this.#path, { throwIfNoEntry: false });
    if (stats === undefined || stats.isFile()) return;
    throw new DestinationProblem(`${this.#path} is not a regular file; move it, or use another path`);
  }

  #removeTemporaries(): void {
    const folder = dirname(this.#path);
    const start = basename(this.#beside(""));
    for (const name of this.#files.readdirSync(folder)) {
      const isTemporary = name.startsWith(start) && /^[0-9a-f]{12}$/.test(name.slice(start.length));
      if (isTemporary) this.#files.unlinkSync(join(folder, name));
    }
  }

  get #mark(): string {
    return this.#beside("pending");
  }

  #beside(end: string): string {
    return join(dirname(this.#path), `.${basename(this.#path)}.coffer-${end}`);
  }
}

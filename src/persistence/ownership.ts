import { statSync } from "node:fs";
import { lockHolder, readLockHolder } from "./lock-holder.ts";

const OWN_ID = String(process.pid);

/**
 * Checks whether the database that this process has open is still the one at its path, and still locked. A lock is lost
 * when anything in the process closes another descriptor of the file (sqlite.org/howtocorrupt.html, section 2.2).
 * Changes to a file that was moved would be missing after the next start.
 */
export class Ownership {
  readonly #file: string;
  readonly #inode: bigint;
  /** Whether the kernel shows the lock. It does not for some file systems and in some containers. */
  readonly #isShown: boolean;

  /** Create it while the database is open and locked. */
  constructor(file: string) {
    this.#file = file;
    this.#inode = statSync(file, { bigint: true }).ino;
    this.#isShown = lockHolder(file) === OWN_ID;
  }

  /** What was lost; undefined if no loss is visible. */
  loss(): string | undefined {
    if (statSync(this.#file, { bigint: true, throwIfNoEntry: false })?.ino !== this.#inode) {
      return `${this.#file} was moved, replaced or removed`;
    }
    return this.#isShown && this.#isLost() ? `the lock on ${this.#file} is lost` : undefined;
  }

  /** Without a free descriptor the list of locks can't be read, which says nothing about the lock. */
  #isLost(): boolean {
    try {
      return readLockHolder(this.#file) !== OWN_ID;
    } catch {
      return false;
    }
  }
}

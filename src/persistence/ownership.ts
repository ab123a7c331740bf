import { statSync } from "node:fs";
import { lockHolder } from "./lock-holder.ts";

/**
 * Whether the database that this process has open is still the one at its path, and still locked. A lock is lost when
 * anything in the process closes another descriptor of the file (sqlite.org/howtocorrupt.html, section 2.2). A file that
 * was moved away takes changes that no later start finds.
 */
export class Ownership {
  readonly #file: string;
  readonly #inode: bigint;
  /** Whether the kernel shows the lock at all: not for every file system, and not across all containers. */
  readonly #isShown: boolean;

  /** Call it while the database is open and locked. */
  constructor(file: string) {
    this.#file = file;
    this.#inode = statSync(file, { bigint: true }).ino;
    this.#isShown = this.#isHolder();
  }

  /** What was lost; undefined: nothing that can be seen. */
  loss(): string | undefined {
    if (statSync(this.#file, { bigint: true, throwIfNoEntry: false })?.ino !== this.#inode) {
      return `${this.#file} is another file than the one that is open, or is gone`;
    }
    return this.#isShown && !this.#isHolder() ? `the lock on ${this.#file} is lost` : undefined;
  }

  #isHolder(): boolean {
    return lockHolder(this.#file) === String(process.pid);
  }
}

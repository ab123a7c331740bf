import { type BigIntStats, existsSync, readFileSync, readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";

/** Where the kernel lists the descriptors of this process and their locks, on Linux only (proc_pid_fdinfo(5)). */
const PROCESS = "/proc/self";

/**
 * Checks whether the database that this process has open is still the one at its path, and still locked. A lock is lost
 * when anything in the process closes another descriptor of the file (sqlite.org/howtocorrupt.html, section 2.2).
 * Changes to a file that was moved would be missing after the next start.
 *
 * The lock is looked up at the descriptor, and not in /proc/locks. The kernel stops every thread that locks a file while
 * it lists all locks, and waits until each CPU has noticed it. That took 5 to 12 ms, also on an idle machine, and no change
 * is committed during this time. The check runs every second, so this was about 1 % of the time. The info of a descriptor
 * takes 0.01 to 0.1 ms.
 */
export class Ownership {
  readonly #file: string;
  readonly #id: FileId;
  /** The file in which the kernel shows the lock; undefined if it shows none. */
  readonly #info: string | undefined;

  /** Create it while the database is open and locked. `process` is the folder of this process in /proc. */
  constructor(file: string, process = PROCESS) {
    this.#file = file;
    this.#id = statSync(file, { bigint: true });
    this.#info = infosOf(process, this.#id).find((info) => showsLock(info, this.#id));
  }

  /** What was lost; undefined if no loss is visible. */
  loss(): string | undefined {
    const stats = statSync(this.#file, { bigint: true, throwIfNoEntry: false });
    if (stats === undefined || !isSame(stats, this.#id)) return `${this.#file} was moved, replaced or removed`;
    const isLost = this.#info !== undefined && !showsLock(this.#info, this.#id);
    return isLost ? `the lock on ${this.#file} is lost` : undefined;
  }
}

/** What identifies a file. A snapshot of a btrfs or ZFS volume has the same inode numbers on another device. */
type FileId = Pick<BigIntStats, "dev" | "ino">;

function isSame(one: FileId, other: FileId): boolean {
  return one.dev === other.dev && one.ino === other.ino;
}

/** The info of each descriptor of a file; none if the kernel does not list the descriptors. */
function infosOf(process: string, file: FileId): readonly string[] {
  return descriptorsIn(process)
    .filter((descriptor) => isOpen(join(process, "fd", descriptor), file))
    .map((descriptor) => join(process, "fdinfo", descriptor));
}

function descriptorsIn(process: string): readonly string[] {
  try {
    return readdirSync(join(process, "fd"));
  } catch {
    return [];
  }
}

/** The process can have a descriptor of a file system that is gone (ESTALE, ENOTCONN), such as an inherited one. */
function isOpen(descriptor: string, file: FileId): boolean {
  try {
    return isSame(statSync(descriptor, { bigint: true }), file);
  } catch {
    return false;
  }
}

/**
 * Whether the info of a descriptor shows a lock of this process on a file. If there is no info, the descriptor was closed.
 * Nothing shows that the lock is lost if the info can't be read for another reason: the process has no free descriptor, or
 * /proc was unmounted.
 */
function showsLock(info: string, { ino }: FileId): boolean {
  try {
    return readFileSync(info, "latin1")
      .split("\n")
      .some((line) => /^lock:\s+\d+: POSIX\b/.test(line) && line.includes(`:${ino} `));
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ENOENT" || !existsSync(dirname(info));
  }
}

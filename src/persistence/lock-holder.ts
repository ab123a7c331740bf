import { readFileSync, statSync } from "node:fs";

/**
 * The id of the process that locks a file, from the kernel's list of locks. Undefined if the kernel does not show it,
 * as across containers, or if it names the file's device differently from stat(2), as for btrfs.
 */
export function lockHolder(file: string): string | undefined {
  try {
    return lockHolderAmong(readFileSync("/proc/locks", "latin1"), statSync(file, { bigint: true }));
  } catch {
    return undefined;
  }
}

/**
 * As {@link lockHolder}, from the text of proc_locks(5). It compares the device too: the first files of two new volumes
 * have the same inode number, and the operator would stop the server of the wrong volume.
 */
export function lockHolderAmong(
  locks: string,
  { dev, ino }: { readonly dev: bigint; readonly ino: bigint },
): string | undefined {
  const hex = (number: bigint) => number.toString(16).padStart(2, "0");
  const name = `${hex(majorOf(dev))}:${hex(minorOf(dev))}:${ino}`;
  const holders = locks
    .split("\n")
    .map((line) => line.split(/\s+/))
    .filter((fields) => fields[5] === name && Number(fields[4]) > 0);
  return holders[0]?.[4];
}

/** The major number in the 64 bits of st_dev, as glibc's gnu_dev_major. */
function majorOf(dev: bigint): bigint {
  return ((dev >> 8n) & 0xfffn) | ((dev >> 32n) & ~0xfffn);
}

/** The minor number, as glibc's gnu_dev_minor. */
function minorOf(dev: bigint): bigint {
  return (dev & 0xffn) | ((dev >> 12n) & ~0xffn);
}

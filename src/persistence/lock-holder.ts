import { readFileSync, statSync } from "node:fs";

/**
 * The process that locks a file, from the kernel's list, where there is one. Undefined where the kernel does not tell, as
 * across containers, or names the file's device in another way than stat(2), as for btrfs.
 */
export function lockHolder(file: string): string | undefined {
  try {
    return lockHolderAmong(readFileSync("/proc/locks", "latin1"), statSync(file, { bigint: true }));
  } catch {
    return undefined;
  }
}

/**
 * The same in a list as of proc_locks(5). Two fresh volumes give their first files the same inode number: without the
 * device, another volume's server would be named, and stopped by whoever believes it.
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

/** As in glibc's gnu_dev_major, of the 64 bits of st_dev. */
function majorOf(dev: bigint): bigint {
  return ((dev >> 8n) & 0xfffn) | ((dev >> 32n) & ~0xfffn);
}

/** As in glibc's gnu_dev_minor. */
function minorOf(dev: bigint): bigint {
  return (dev & 0xffn) | ((dev >> 12n) & ~0xffn);
}

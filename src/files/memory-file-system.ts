import { statfs } from "node:fs/promises";

/** The type of the file system of a folder, as a number of statfs(2). Rejects if there is no such folder. */
export type TypeOfFileSystem = (folder: string) => Promise<number>;

/** Asks the kernel. */
export const fileSystemType: TypeOfFileSystem = async (folder) => (await statfs(folder)).type;

/** The file systems that keep files in memory: tmpfs and ramfs (statfs(2)). Files of tmpfs can be swapped to a disk. */
const IN_MEMORY: ReadonlySet<number> = new Set([0x01021994, 0x858458f6]);

/** Whether a file system keeps files in memory, by its type. */
export function isInMemory(type: number): boolean {
  return IN_MEMORY.has(type);
}

import type { FileSystem } from "../../src/agent/file-system.ts";
import { machineFiles } from "../../src/agent/file-system.ts";

/** The error of a call for which the file system has no space. */
function noSpace(syscall: string): Error {
  return Object.assign(new Error(`ENOSPC: no space left on device, ${syscall}`), { code: "ENOSPC", syscall });
}

/** The real file system, which has space for new files, and for half of the content of each. */
export const smallFiles: FileSystem = {
  ...machineFiles,
  writeFileSync: (file, content) => {
    const bytes = content as Uint8Array;
    machineFiles.writeFileSync(file, bytes.subarray(0, bytes.length >> 1));
    throw noSpace("write");
  },
};

/** The real file system, which can create nothing until something is removed: it has no inode left. */
export function fullFiles(): FileSystem {
  let isFull = true;
  const creating = <Task extends "mkdtempSync" | "openSync" | "symlinkSync">(name: Task): FileSystem[Task] => {
    const real = machineFiles[name] as (...words: unknown[]) => unknown;
    return ((...words: unknown[]) => {
      if (isFull) throw noSpace(name);
      return real(...words);
    }) as FileSystem[Task];
  };
  return {
    ...machineFiles,
    mkdtempSync: creating("mkdtempSync"),
    openSync: creating("openSync"),
    symlinkSync: creating("symlinkSync"),
    rmSync: (path, options) => {
      machineFiles.rmSync(path, options);
      isFull = false;
    },
  };
}

import { readFileSync, writeFileSync } from "node:fs";

/** Files of /proc and /sys, by their full names. A container, or another system than Linux, may have none of them. */
export interface KernelFiles {
  /** What the file holds; undefined when it can't be read. */
  readonly read: (file: string) => string | undefined;
  /** Writes it if that is possible. What became of it is for a `read` to tell. */
  readonly write: (file: string, text: string) => void;
}

/** Those of this machine. */
export const kernelFiles: KernelFiles = {
  read: (file) => {
    try {
      return readFileSync(file, "latin1");
    } catch {
      return undefined;
    }
  },
  write: (file, text) => {
    try {
      writeFileSync(file, text);
    } catch {
      // Not there, or not for us: it will be read.
    }
  },
};

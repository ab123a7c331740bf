import { readFileSync, writeFileSync } from "node:fs";

/**
 * Access to files in /proc and /sys, by absolute path. In a container, or on a system other than Linux, they may not
 * exist.
 */
export interface KernelFiles {
  /** The content of the file; undefined if it can't be read. */
  readonly read: (file: string) => string | undefined;
  /** Writes the file if possible. Errors are ignored: verify the result with `read`. */
  readonly write: (file: string, text: string) => void;
}

/** The kernel files of this machine. */
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
      // The file does not exist or is not writable. The caller verifies the result with `read`.
    }
  },
};

import { closeSync, constants, fsyncSync, openSync } from "node:fs";

/** Makes the names in a folder durable: without it a power cut takes a new file's name away again. */
export function syncFolder(folder: string): void {
  const descriptor = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

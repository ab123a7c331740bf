import { closeSync, constants, fsyncSync, openSync } from "node:fs";

/** Makes the names in a folder durable. Without this, a power failure can remove the name of a new file. */
export function syncFolder(folder: string): void {
  const descriptor = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

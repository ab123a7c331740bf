import { constants, fchmodSync, openSync } from "node:fs";

/**
 * Opens a file for writing that only its owner may use, and makes it if it is not there, whatever the umask takes away.
 * SQLite gives its log the mode of the database. `isNew`: it must not be there.
 */
export function openPrivate(file: string, isNew: boolean): number {
  const flags = constants.O_CREAT | constants.O_RDWR | constants.O_NOFOLLOW | (isNew ? constants.O_EXCL : 0);
  const descriptor = openSync(file, flags, 0o600);
  fchmodSync(descriptor, 0o600);
  return descriptor;
}

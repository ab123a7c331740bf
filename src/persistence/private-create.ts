import { constants, fchmodSync, openSync } from "node:fs";

/**
 * Opens a file for writing that only its owner can access, and creates it if it does not exist. The mode does not
 * depend on the umask. SQLite gives its log the mode of the database. With `isNew`, the file must not exist.
 */
export function openPrivate(file: string, isNew: boolean): number {
  const flags = constants.O_CREAT | constants.O_RDWR | constants.O_NOFOLLOW | (isNew ? constants.O_EXCL : 0);
  const descriptor = openSync(file, flags, 0o600);
  fchmodSync(descriptor, 0o600);
  return descriptor;
}

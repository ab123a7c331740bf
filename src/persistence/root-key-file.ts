import {
  closeSync,
  constants,
  fchmodSync,
  fsyncSync,
  openSync,
  realpathSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, sep } from "node:path";
import { describeDenial, linkTarget } from "../files/file-access.ts";
import { PrivateFileError, readPrivateFile } from "../files/private-file.ts";
import { shellWord } from "../domain/shell-word.ts";
import { parseRootKey, RootKeyRefused, rootKeyText } from "../sealing/root-key.ts";
import { SecretKey } from "../sealing/secret-key.ts";
import { syncFolder } from "./sync-folder.ts";

/** The file of a root key. */
export interface RootKeySource {
  readonly file: string;
  /** The data folder, which must not contain the file; undefined if the file can be anywhere. */
  readonly outside: string | undefined;
}

/**
 * Reads a root key from a file that no other user can read or change. Throws {@link RootKeyRefused}, or
 * {@link PrivateFileError} if the file can't be read or its permissions are too wide.
 */
export function readRootKey({ file, outside }: RootKeySource): SecretKey {
  const raw = readExisting(file);
  try {
    if (outside !== undefined) refuseInside(file, outside);
    return parseRootKey(raw, file);
  } finally {
    raw.fill(0);
  }
}

/**
 * Makes a root key: a new file of 64 hex digits and a line break, with mode 0600, durable when this returns. It never
 * replaces a file, because without the old key every store of that key is lost. Throws {@link RootKeyRefused},
 * {@link PrivateFileError} if the file can't be created, or an error of the file system.
 */
export function makeRootKey(file: string): void {
  const key = SecretKey.random();
  const text = rootKeyText(key);
  try {
    writeNew(file, text);
  } finally {
    key.wipe();
    text.fill(0);
  }
}

function readExisting(file: string): Buffer {
  try {
    return readPrivateFile(file);
  } catch (error) {
    const { code } = ((error as PrivateFileError).cause ?? {}) as NodeJS.ErrnoException;
    if (code !== "ENOENT" || linkTarget(file) !== undefined) throw error;
    const problem = "does not exist; put the store's own key there or, for a new store, run";
    throw new PrivateFileError(file, `${problem}: coffer root-key --out ${shellWord(file)}`, { cause: error });
  }
}

function refuseInside(file: string, folder: string): void {
  if (!isInside(realpathSync(file), folder)) return;
  const message = `${file} is inside the data folder ${folder}, so that a copy of the folder would include the key of its store`;
  throw new RootKeyRefused("inside the data folder", `${message}; move it elsewhere`);
}

/** A missing folder contains nothing. Other problems of the folder are reported when it is prepared. */
function isInside(file: string, folder: string): boolean {
  try {
    return file.startsWith(realpathSync(folder) + sep);
  } catch {
    return false;
  }
}

function writeNew(file: string, content: Buffer): void {
  const descriptor = openNew(file);
  try {
    fchmodSync(descriptor, 0o600); // the umask may have removed permissions
    writeFileSync(descriptor, content);
    fsyncSync(descriptor);
  } catch (error) {
    unlinkSync(file);
    throw error;
  } finally {
    closeSync(descriptor);
  }
  syncFolder(dirname(file));
}

function openNew(file: string): number {
  try {
    return openSync(file, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o600);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const folder = dirname(file);
    if (code !== "EEXIST")
      throw new PrivateFileError(file, `can't be created: ${folder} ${describeDenial(folder, code)}`);
    throw new RootKeyRefused("exists", `${file} exists, and a root key is never overwritten`);
  }
}

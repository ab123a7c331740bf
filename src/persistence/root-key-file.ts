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

/** Where a root key is read from. */
export interface RootKeySource {
  readonly file: string;
  /** The data folder, which must not contain the file; undefined: it may lie anywhere. */
  readonly outside: string | undefined;
}

/**
 * Reads a root key from a file that nobody else can read or change (see private-file.ts, whose errors pass through).
 * Throws {@link RootKeyRefused}.
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
 * Makes a root key: a new file of 64 hex digits and a line break, mode 0600, durable when this returns. It never
 * replaces a file: with the old key goes every store that it opens. Throws {@link RootKeyRefused}, {@link PrivateFileError}
 * when there can be no file, or what the file system says.
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
  const message = `${file} lies inside the data folder ${folder}, so that a copy of the store would bring its key along`;
  throw new RootKeyRefused("inside the data folder", `${message}; move it elsewhere`);
}

/** A folder that does not exist yet contains nothing; what else is wrong with it is told when it is prepared. */
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
    fchmodSync(descriptor, 0o600); // whatever the umask took away
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
    if (code !== "EEXIST") throw new PrivateFileError(file, `can't be made: ${folder} ${describeDenial(folder, code)}`);
    throw new RootKeyRefused("exists", `${file} exists, and a root key is never overwritten`);
  }
}

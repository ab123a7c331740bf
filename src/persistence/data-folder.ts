import { accessSync, chmodSync, constants, mkdirSync, readdirSync, realpathSync, statfsSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { describeAccess } from "../files/file-access.ts";
import { shellWord } from "../domain/shell-word.ts";
import { fileSystemSuitability } from "./file-system-kind.ts";
import { accessible, tightenEntry } from "./own-entry.ts";
import { refuseBesideAnother } from "./misplaced-store.ts";
import { asStoreRefused } from "./storage-error.ts";
import { StoreRefused } from "./store-refused.ts";
import { syncFolder } from "./sync-folder.ts";

/** A data folder that is fit for use. */
export interface DataFolder {
  /** `store` below it: nobody else may enter, and the server's files lie here and nowhere else. */
  readonly store: string;
  /** What was mended or is doubtful, each a line for the log. */
  readonly warnings: readonly string[];
}

/** Tells the kind of the file system that a path lies on: statfs's `f_type`. A parameter for tests. */
export type FileSystemType = (path: string) => number;

/**
 * Prepares `data`, which may be a mount of somebody else's, and the private folder below it: creates what is missing,
 * durably, and makes sure that what is there is this process's alone (see {@link tightenEntry}). Throws
 * {@link StoreRefused}.
 *
 * Nothing here opens a file: closing it again would drop the locks that SQLite holds in this process
 * (sqlite.org/howtocorrupt.html, section 2.2).
 */
export function prepareDataFolder(data: string, fileSystemType: FileSystemType = localType): DataFolder {
  const folder = existingFolder(accessible(data, () => resolve(data)));
  const store = join(folder, "store");
  refuseBesideAnother(folder, store);
  createFolder(store);
  const warnings = [...tightenStore(store), ...checkFileSystem(store, fileSystemType(store)), ...checkParent(folder)];
  return { store, warnings };
}

/** One line for all that a mount has opened. */
function tightenStore(store: string): string[] {
  const folder = tightenEntry(store, "folder");
  const files = accessible(store, () => readdirSync(store)).map((name) => tightenEntry(join(store, name), "file"));
  const tightened = [folder, ...files].filter((path) => path !== undefined);
  return tightened.length === 0 ? [] : [`closed to the group, as a mount had opened them: ${tightened.join(", ")}`];
}

/** The numbers are Linux's own; elsewhere there is nothing to compare them with. */
function localType(path: string): number {
  const ext4 = 0xef53;
  return process.platform === "linux" ? statfsSync(path).type : ext4;
}

function existingFolder(data: string): string {
  createFolder(data);
  const folder = accessible(data, () => realpathSync(data));
  const stats = statSync(folder);
  // It is the server's own, unlike the folders above it: who may not enter it is given it.
  if (stats.isDirectory()) {
    accessible(folder, () => accessSync(folder, constants.X_OK));
    return folder;
  }
  throw new StoreRefused("wrong kind", `${data} (${describeAccess(stats)}) must be a folder; give another --data`);
}

function createFolder(path: string): void {
  accessible(path, () => {
    try {
      mkdirSync(path, 0o700);
      chmodSync(path, 0o700); // whatever the umask took away
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
  });
  syncAbove(path);
}

/**
 * Makes the name of a folder durable, at every start: the one that made it may have failed to. A folder above that this
 * process may not read was made by somebody else.
 */
function syncAbove(path: string): void {
  try {
    syncFolder(dirname(path));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EACCES") throw asStoreRefused(error, dirname(path));
  }
}

function checkFileSystem(folder: string, type: number): string[] {
  const suitability = fileSystemSuitability(type);
  if (suitability.kind === "suitable") return [];
  if (suitability.kind === "doubtful") return [`${folder} ${suitability.reason}`];
  const message = `${folder} lies on ${suitability.name}, whose locks and flushes can't be relied on; use a local disk`;
  throw new StoreRefused("unsuitable file system", message);
}

/** In a folder that everybody may write and that is not sticky, as an emptyDir is, others can rename ours away. */
function checkParent(folder: string): string[] {
  const open = (statSync(folder).mode & 0o1002) === 0o0002;
  return open ? [`everybody may rename what lies in ${folder}; chmod o-w ${shellWord(folder)} prevents it`] : [];
}

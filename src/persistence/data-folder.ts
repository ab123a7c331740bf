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

/** A data folder that passed all checks. */
export interface DataFolder {
  /** The folder `store` in the data folder. It contains all files of the server, and no other user can enter it. */
  readonly store: string;
  /** What was corrected, and what the operator should check. Each is a line for the log. */
  readonly warnings: readonly string[];
}

/** Returns the type of the file system of a path, as `f_type` of statfs(2). A parameter for tests. */
export type FileSystemType = (path: string) => number;

/**
 * Prepares `data`, which can be a mount that another user owns, and the private folder `store` in it. Creates missing
 * folders, durably. Makes sure that no other user has access to `store` and the files in it (see {@link tightenEntry}).
 * Throws {@link StoreRefused}.
 *
 * This module opens no file: closing it would drop the locks that SQLite holds in this process
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

/** Returns at most one line for the log, with all entries whose modes were restricted. */
function tightenStore(store: string): string[] {
  const folder = tightenEntry(store, "folder");
  const files = accessible(store, () => readdirSync(store)).map((name) => tightenEntry(join(store, name), "file"));
  const tightened = [folder, ...files].filter((path) => path !== undefined);
  return tightened.length === 0
    ? []
    : [`removed the permissions that a mount had given the group: ${tightened.join(", ")}`];
}

/**
 * The types are specific to Linux. On other platforms, every file system is treated as ext4, because there is no type
 * to compare.
 */
function localType(path: string): number {
  const ext4 = 0xef53;
  return process.platform === "linux" ? statfsSync(path).type : ext4;
}

function existingFolder(data: string): string {
  createFolder(data);
  const folder = accessible(data, () => realpathSync(data));
  const stats = statSync(folder);
  // Unlike the folders above, this folder belongs to the server, so the message has a command that gives the server
  // access.
  if (stats.isDirectory()) {
    accessible(folder, () => accessSync(folder, constants.X_OK));
    return folder;
  }
  throw new StoreRefused("wrong kind", `${data} (${describeAccess(stats)}) must be a folder; use another --data`);
}

function createFolder(path: string): void {
  accessible(path, () => {
    try {
      mkdirSync(path, 0o700);
      chmodSync(path, 0o700); // the umask may have removed permissions
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
  });
  syncAbove(path);
}

/**
 * Makes the name of a folder durable. This happens at every start, because the start that created the folder may have
 * ended before this step. A parent folder that this process can't read was created by another user, and is not synced.
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
  const message = `${folder} is on ${suitability.name}, whose locks and flushes are unreliable; use a local disk`;
  throw new StoreRefused("unsuitable file system", message);
}

/**
 * In a folder that every user can write and that is not sticky, such as an emptyDir, other users can rename `store`.
 */
function checkParent(folder: string): string[] {
  const open = (statSync(folder).mode & 0o1002) === 0o0002;
  return open
    ? [`every user can rename the files in ${folder}; to prevent this, run: chmod o-w ${shellWord(folder)}`]
    : [];
}

import { chmodSync, lstatSync, mkdirSync, readdirSync, realpathSync, type Stats, statfsSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { shellWord } from "../domain/shell-word.ts";
import { fileSystemSuitability } from "./file-system-kind.ts";
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

const PRIVATE_FOLDER = 0o700;
const PRIVATE_FILE = 0o600;

/**
 * Prepares `data`, which may be a mount of somebody else's, and the private folder below it: creates what is missing,
 * durably, and checks owner, mode and links of what is there. A mode that is open to a group is tightened, since
 * Kubernetes opens a volume to its fsGroup again at every mount; a mode that is open to everybody, or another owner, is
 * no accident of that kind and is refused. Throws {@link StoreRefused}.
 *
 * Nothing here opens a file: closing it again would drop the locks that SQLite holds in this process
 * (sqlite.org/howtocorrupt.html, section 2.2).
 */
export function prepareDataFolder(data: string, fileSystemType: FileSystemType = localType): DataFolder {
  const folder = existingFolder(resolve(data));
  const store = join(folder, "store");
  createFolder(store);
  const widened = [tightenFolder(store), ...readdirSync(store).map((name) => tightenFile(join(store, name)))];
  const warnings = [...checkFileSystem(store, fileSystemType(store)), ...checkParent(folder)];
  const tightened = widened.filter((path) => path !== undefined);
  if (tightened.length > 0) warnings.push(`closed to the group, as a mount had opened them: ${tightened.join(", ")}`);
  return { store, warnings };
}

/** The numbers are Linux's own; elsewhere there is nothing to compare them with. */
function localType(path: string): number {
  const ext4 = 0xef53;
  return process.platform === "linux" ? statfsSync(path).type : ext4;
}

function existingFolder(data: string): string {
  createFolder(data);
  const folder = accessible(data, () => realpathSync(data));
  if (!statSync(folder).isDirectory()) throw new StoreRefused("wrong kind", `${data} is no folder`);
  return folder;
}

function createFolder(path: string): void {
  accessible(path, () => {
    try {
      mkdirSync(path, PRIVATE_FOLDER);
    } catch (error) {
      if (codeOf(error) === "EEXIST") return;
      throw error;
    }
    syncFolder(dirname(path));
  });
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

function tightenFolder(path: string): string | undefined {
  const stats = lstatSync(path);
  if (!stats.isDirectory()) throw new StoreRefused("wrong kind", `${path} must be a folder, and no link to one`);
  return tighten(path, stats, PRIVATE_FOLDER);
}

function tightenFile(path: string): string | undefined {
  const stats = lstatSync(path);
  if (!stats.isFile()) throw new StoreRefused("wrong kind", `${path} must be a file, and no link to one`);
  if (stats.nlink > 1) {
    const message = `${path} has a second name elsewhere (a hard link), through which the store could be changed`;
    throw new StoreRefused("wrong kind", `${message}; find it by its inode ${stats.ino} and remove it`);
  }
  return tighten(path, stats, PRIVATE_FILE);
}

/** The path if its mode had to be tightened. */
function tighten(path: string, stats: Stats, mode: number): string | undefined {
  const shown = `${path} (uid ${stats.uid}, mode ${modeOf(stats)})`;
  if (stats.uid !== ownUid(stats)) {
    const message = `${shown} belongs to another user than this process (uid ${ownUid(stats)})`;
    throw new StoreRefused(
      "wrong owner",
      `${message}; run: chown -R ${ownUid(stats)} ${shellWord(folderOf(path, stats))}`,
    );
  }
  if ((stats.mode & 0o007) !== 0) {
    const message = `${shown} is open to everybody; make sure that nobody used it and run`;
    throw new StoreRefused("open to everybody", `${message}: chmod -R go= ${shellWord(folderOf(path, stats))}`);
  }
  if ((stats.mode & 0o070) === 0) return undefined;
  chmodSync(path, mode);
  return path;
}

function folderOf(path: string, stats: Stats): string {
  return stats.isDirectory() ? path : dirname(path);
}

/** Windows has no users in this sense. */
function ownUid(stats: Stats): number {
  return process.geteuid?.() ?? stats.uid;
}

function accessible<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (cause) {
    throw new StoreRefused("not accessible", inaccessible(path, cause), { cause });
  }
}

function inaccessible(path: string, cause: unknown): string {
  const message = `${path} can't be created or entered by uid ${process.geteuid?.()} (${codeOf(cause)})`;
  const parent = statSync(dirname(path), { throwIfNoEntry: false });
  if (parent === undefined) return `${message}: ${dirname(path)} does not exist`;
  return `${message}: ${dirname(path)} belongs to uid ${parent.uid}, gid ${parent.gid} and has mode ${modeOf(parent)}`;
}

function modeOf(stats: Stats): string {
  return (stats.mode & 0o7777).toString(8).padStart(4, "0");
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}

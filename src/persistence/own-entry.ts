import { accessSync, chmodSync, constants, existsSync, lstatSync, realpathSync, type Stats } from "node:fs";
import { basename, dirname, join } from "node:path";
import { describeAccess, describeDenial, linkTarget, ownUid } from "../files/file-access.ts";
import { shellWord } from "../domain/shell-word.ts";
import { StoreRefused } from "./store-refused.ts";

/** An entry of the store: its folder, or a file in it. */
export type EntryKind = "folder" | "file";

/** The permission bits of other users, and of the group. */
const OTHER_USERS = 0o007;
const GROUP = 0o070;

/** The modes that give access to the owner only. */
const PRIVATE = { folder: 0o700, file: 0o600 } as const;

/** The access that this process needs. */
const NEEDED = {
  folder: constants.R_OK | constants.W_OK | constants.X_OK,
  file: constants.R_OK | constants.W_OK,
} as const;

/**
 * Makes sure that only this process's user has access to a folder or a file of the store. Returns the path if its mode
 * had to be restricted. A missing entry is accepted: a server that ends removes its log.
 *
 * Permissions of the group are removed, because Kubernetes gives them to the fsGroup of a volume at every mount.
 * Permissions of other users, another owner or a link have no such harmless cause: throws {@link StoreRefused}.
 */
export function tightenEntry(path: string, kind: EntryKind): string | undefined {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return undefined;
  refuseKind(path, stats, kind);
  refuseAccess(path, stats, kind);
  const isOpen = (stats.mode & GROUP) !== 0;
  if (isOpen) accessible(path, () => chmodSync(path, PRIVATE[kind]));
  // On a disk that is mounted read-only, SQLite would open the store, and report an I/O error when it takes the lock.
  accessible(path, () => accessSync(path, NEEDED[kind]));
  return isOpen ? path : undefined;
}

/** Runs an action on a path. An error of the file system becomes a {@link StoreRefused} with the owner and the mode. */
export function accessible<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new StoreRefused("not accessible", `${path} ${denialReason(path, code)}`, { cause });
  }
}

/**
 * Why an action on a path failed. If neither the path nor its parent exists, the path can't be created, and the result
 * describes the access to the parent. A dangling link counts as an existing path.
 */
function denialReason(path: string, code: string | undefined): string {
  const above = dirname(path);
  const isMissing = code === "ENOENT" && linkTarget(path) === undefined && (above === "." || !existsSync(above));
  return isMissing ? `can't be created: ${above} ${describeDenial(above, code)}` : describeDenial(path, code);
}

/** Refuses links: with a symbolic or a hard link, other users could change the store from outside of its folder. */
function refuseKind(path: string, stats: Stats, kind: EntryKind): void {
  if (stats.isSymbolicLink()) throw symbolicLink(path, stats);
  if (kind === "folder" ? !stats.isDirectory() : !stats.isFile()) throw notOfKind(path, stats, kind);
  if (kind === "file" && stats.nlink > 1) throw hardLink(path, stats);
}

function symbolicLink(path: string, stats: Stats): StoreRefused {
  if (!existsSync(path))
    return new StoreRefused("wrong kind", `${shown(path, stats)} ${describeDenial(path, "ENOENT")}`);
  const target = realpathSync(path);
  const message = `${shown(path, stats)} is a symbolic link to ${target}`;
  // The command moves the target before it removes the link. Otherwise a failed move would leave nothing at the path,
  // and the next start would create a new store.
  const [link, fetched] = [shellWord(path), shellWord(`${path}.fetched`)];
  const command = `mv -T ${shellWord(target)} ${fetched} && rm ${link} && mv -T ${fetched} ${link}`;
  return new StoreRefused(
    "wrong kind",
    `${message}; if the target is your store, move it in place of the link; run: ${command}`,
  );
}

function notOfKind(path: string, stats: Stats, kind: EntryKind): StoreRefused {
  const data = kind === "folder" ? dirname(path) : dirname(dirname(path));
  const away = join(data, `${basename(path)}.away`);
  const message = `${shown(path, stats)} must be a ${kind}`;
  return new StoreRefused("wrong kind", `${message}; run: mv ${shellWord(path)} ${shellWord(away)}`);
}

function hardLink(path: string, stats: Stats): StoreRefused {
  const message = `${shown(path, stats)} has a second hard link (inode ${stats.ino}); replace the file by a copy`;
  const [file, copy] = [shellWord(path), shellWord(`${path}.copy`)];
  return new StoreRefused("wrong kind", `${message}; run: cp -p ${file} ${copy} && mv ${copy} ${file}`);
}

function refuseAccess(path: string, stats: Stats, kind: EntryKind): void {
  const uid = ownUid() ?? stats.uid;
  const folder = shellWord(kind === "folder" ? path : dirname(path));
  if (stats.uid !== uid) {
    const message = `${shown(path, stats)} belongs to another user than this process, uid ${uid}`;
    throw new StoreRefused("wrong owner", `${message}; run: chown -R ${uid} ${folder}`);
  }
  if ((stats.mode & OTHER_USERS) !== 0) {
    const message = `${shown(path, stats)} is open to every user; make sure that no other user has read or changed it`;
    throw new StoreRefused("open to every user", `${message}; run: chmod -R go= ${folder}`);
  }
}

function shown(path: string, stats: Stats): string {
  return `${path} (${describeAccess(stats)})`;
}

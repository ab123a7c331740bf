import { accessSync, chmodSync, constants, existsSync, lstatSync, realpathSync, type Stats } from "node:fs";
import { basename, dirname, join } from "node:path";
import { describeAccess, describeDenial, linkTarget, ownUid } from "../files/file-access.ts";
import { shellWord } from "../domain/shell-word.ts";
import { StoreRefused } from "./store-refused.ts";

/** What may lie at a place of the store: the store's folder, or a file in it. */
export type EntryKind = "folder" | "file";

/** Permission bits of everybody, and of the group. */
const EVERYBODY = 0o007;
const GROUP = 0o070;

/** What only the owner may do. */
const PRIVATE = { folder: 0o700, file: 0o600 } as const;

/** What this process must be able to do. */
const NEEDED = {
  folder: constants.R_OK | constants.W_OK | constants.X_OK,
  file: constants.R_OK | constants.W_OK,
} as const;

/**
 * Makes sure that a folder or a file of the store is this process's alone. The path if its mode had to be tightened. What
 * is gone meanwhile is nothing: a server that ends removes its log.
 *
 * A mode that is open to a group is tightened, since Kubernetes opens a volume to its fsGroup again at every mount. A mode
 * that is open to everybody, another owner or a link is no accident of that kind: throws {@link StoreRefused}.
 */
export function tightenEntry(path: string, kind: EntryKind): string | undefined {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return undefined;
  refuseKind(path, stats, kind);
  refuseAccess(path, stats, kind);
  const isOpen = (stats.mode & GROUP) !== 0;
  if (isOpen) accessible(path, () => chmodSync(path, PRIVATE[kind]));
  // On a disk that is mounted read-only SQLite would open the store, and call its lock an I/O error.
  accessible(path, () => accessSync(path, NEEDED[kind]));
  return isOpen ? path : undefined;
}

/** Runs an action on a path. What the system says against it becomes {@link StoreRefused}, with whose permissions. */
export function accessible<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new StoreRefused("not accessible", `${path} ${whyNot(path, code)}`, { cause });
  }
}

/** What is not there can be made, if the folder above is; a link that leads nowhere is there. */
function whyNot(path: string, code: string | undefined): string {
  const above = dirname(path);
  const isMissing = code === "ENOENT" && linkTarget(path) === undefined && (above === "." || !existsSync(above));
  return isMissing ? `can't be made: ${above} ${describeDenial(above, code)}` : describeDenial(path, code);
}

/** A second name, of either kind, would let somebody change the store from outside of its folder. */
function refuseKind(path: string, stats: Stats, kind: EntryKind): void {
  if (stats.isSymbolicLink()) throw symbolicLink(path, stats);
  if (kind === "folder" ? !stats.isDirectory() : !stats.isFile()) throw stranger(path, stats, kind);
  if (kind === "file" && stats.nlink > 1) throw hardLink(path, stats);
}

function symbolicLink(path: string, stats: Stats): StoreRefused {
  if (!existsSync(path))
    return new StoreRefused("wrong kind", `${shown(path, stats)} ${describeDenial(path, "ENOENT")}`);
  const target = realpathSync(path);
  const message = `${shown(path, stats)} is a symbolic link to ${target}`;
  // Fetched before the link goes: with the link gone and nothing in its place, the next start would make a new store.
  const [link, fetched] = [shellWord(path), shellWord(`${path}.fetched`)];
  const command = `mv -T ${shellWord(target)} ${fetched} && rm ${link} && mv -T ${fetched} ${link}`;
  return new StoreRefused("wrong kind", `${message}; if that is yours, put it in place of the link; run: ${command}`);
}

function stranger(path: string, stats: Stats, kind: EntryKind): StoreRefused {
  const data = kind === "folder" ? dirname(path) : dirname(dirname(path));
  const away = join(data, `${basename(path)}.away`);
  const message = `${shown(path, stats)} must be a ${kind}`;
  return new StoreRefused("wrong kind", `${message}; run: mv ${shellWord(path)} ${shellWord(away)}`);
}

function hardLink(path: string, stats: Stats): StoreRefused {
  const message = `${shown(path, stats)} has a second name elsewhere (a hard link, inode ${stats.ino}); give the store a copy`;
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
  if ((stats.mode & EVERYBODY) !== 0) {
    const message = `${shown(path, stats)} is open to everybody; make sure that nobody used it`;
    throw new StoreRefused("open to everybody", `${message}; run: chmod -R go= ${folder}`);
  }
}

function shown(path: string, stats: Stats): string {
  return `${path} (${describeAccess(stats)})`;
}

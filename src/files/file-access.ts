import { accessSync, constants, lstatSync, readlinkSync, type Stats, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { shellWord } from "../domain/shell-word.ts";

/** The owner, the group and the mode of a file. `mode` includes the file type, as in `Stats`. */
export type FileAccess = Pick<Stats, "uid" | "gid" | "mode">;

/** Formats the access of a file: "owner uid 0, gid 2000, mode 0440". */
export function describeAccess({ uid, gid, mode }: FileAccess): string {
  return `owner uid ${uid}, gid ${gid}, mode ${(mode & 0o7777).toString(8).padStart(4, "0")}`;
}

/** The effective user id of this process; undefined on Windows, which has no user ids. */
export function ownUid(): number | undefined {
  return process.geteuid?.();
}

/** Why this process can't use a path, and the command with which root can correct it. */
interface Denial {
  /** The reason, to be written after the path. */
  readonly why: string;
  /** Undefined if no command helps. No command gives other users access. */
  readonly command?: string;
}

/**
 * Describes why this process can't use `path`, one of its own files or folders: the error code, the permissions that
 * deny access, and the command that corrects them. The text follows the path in a message.
 */
export function describeDenial(path: string, code: string | undefined): string {
  const { why, command } = denialOf(path, code);
  return command === undefined ? why : `${why}; run: ${command}`;
}

/**
 * As {@link describeDenial}, without the command: for paths of other owners, such as /etc, whose owner must not change.
 */
export function describeObstacle(path: string, code: string | undefined): string {
  return denialOf(path, code).why;
}

function denialOf(path: string, code: string | undefined): Denial {
  if (code === "ENOENT") return absence(path);
  const at = nearestVisible(path);
  const access = statSync(at);
  const where = `${at} (${describeAccess(access)})`;
  switch (code) {
    case "EACCES":
    case "EPERM":
      return denied(path, code, { at, access });
    case "EROFS":
      return {
        why: `can't be written: ${where} is on a file system that is mounted read-only`,
        command: remount(at),
      };
    case "ENOSPC":
      return {
        why: `can't be written: there is no free space on the disk of ${where}`,
        command: `df -h ${shellWord(at)}; df -i ${shellWord(at)}`,
      };
    case "ENOTDIR":
    case "ELOOP":
      return { why: `can't be used (${code}): the last part of its path that can be used is ${where}` };
    default:
      return { why: `can't be used (${code})` };
  }
}

/**
 * Describes a missing path. A command to create a folder helps only if the path is neither a link nor the working
 * folder.
 */
function absence(path: string): Denial {
  const target = linkTarget(path);
  if (target !== undefined) return { why: `is a symbolic link to ${target}, which does not exist; mount it first` };
  const why = "does not exist";
  return path === "." ? { why } : { why, command: `install -d -o ${ownUid()} ${shellWord(path)}` };
}

/** The absolute target of a symbolic link; undefined if the path is not a symbolic link. */
export function linkTarget(path: string): string | undefined {
  const isLink = lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ?? false;
  return isLink ? resolve(dirname(path), readlinkSync(path)) : undefined;
}

function remount(path: string): string {
  return `mount -o remount,rw "$(findmnt -no TARGET -T ${shellWord(path)})" - or, in a container, mount a volume there`;
}

function own(path: string, { uid }: FileAccess): string {
  if (uid === ownUid()) return `chmod u+rwX ${shellWord(path)}`;
  return `chown ${ownUid()} ${shellWord(path)} - or, in Kubernetes, set fsGroup`;
}

/**
 * Describes denied access. There is no command for a parent folder that this process can't enter: it belongs to another
 * user, and a command would give every user of the machine access to it.
 */
function denied(path: string, code: string, { at, access }: { at: string; access: FileAccess }): Denial {
  const why = `is denied to uid ${ownUid()} (${code}) by ${at} (${describeAccess(access)})`;
  if (at === path) return { why, command: own(path, access) };
  if (isPassable(at)) return { why, command: `install -d -o ${ownUid()} -m 0700 ${shellWord(path)}` };
  return { why: `${why}; allow this user to enter it, or use another folder; in Kubernetes, set fsGroup` };
}

/** The path, or its nearest parent for which stat succeeds. */
function nearestVisible(path: string): string {
  try {
    statSync(path);
    return path;
  } catch (error) {
    const above = dirname(path);
    if (above === path) throw error;
    return nearestVisible(above);
  }
}

function isPassable(folder: string): boolean {
  try {
    accessSync(folder, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

import { accessSync, constants, lstatSync, readlinkSync, type Stats, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { shellWord } from "../domain/shell-word.ts";

/** Who owns a file, and its permission bits with everything else that is in `mode`. */
export type FileAccess = Pick<Stats, "uid" | "gid" | "mode">;

/** The same for people: "owner uid 0, gid 2000, mode 0440". */
export function describeAccess({ uid, gid, mode }: FileAccess): string {
  return `owner uid ${uid}, gid ${gid}, mode ${(mode & 0o7777).toString(8).padStart(4, "0")}`;
}

/** Who this process is to the file system; undefined on Windows, which has no users in this sense. */
export function ownUid(): number | undefined {
  return process.geteuid?.();
}

/** Why the system does not let this process use a path, and what root can run against it. */
interface Denial {
  /** Completes the sentence that the path begins. */
  readonly why: string;
  /** Undefined where no command helps. No command opens anything to other users. */
  readonly command?: string;
}

/**
 * What people are told when the system does not let this process use `path`, which is its own: the error's code, whose
 * permissions stand in the way, and the command that mends it.
 */
export function describeDenial(path: string, code: string | undefined): string {
  const { why, command } = denialOf(path, code);
  return command === undefined ? why : `${why}; run: ${command}`;
}

/** The same of a path that may be anybody's, as /etc is: without a command, which would take it from its owner. */
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
        why: `can't be written: ${where} lies on a file system that is mounted read-only`,
        command: remount(at),
      };
    case "ENOSPC":
      return {
        why: `finds no room on the disk of ${where}`,
        command: `df -h ${shellWord(at)}; df -i ${shellWord(at)}`,
      };
    case "ENOTDIR":
    case "ELOOP":
      return { why: `can't be used (${code}): the way to it ends at ${where}` };
    default:
      return { why: `can't be used (${code})` };
  }
}

/** Only where there is nothing does it help to make a folder: not in the place of a link, nor of the working folder. */
function absence(path: string): Denial {
  const target = linkTarget(path);
  if (target !== undefined) return { why: `is a symbolic link to ${target}, which is not there; mount it first` };
  const why = "does not exist";
  return path === "." ? { why } : { why, command: `install -d -o ${ownUid()} ${shellWord(path)}` };
}

/** Where a symbolic link leads, as a whole path; undefined when it is none. */
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

/** A folder above that can't be entered is somebody else's: to open it would let every user of the machine pass. */
function denied(path: string, code: string, { at, access }: { at: string; access: FileAccess }): Denial {
  const why = `is denied to uid ${ownUid()} (${code}) by ${at} (${describeAccess(access)})`;
  if (at === path) return { why, command: own(path, access) };
  if (isPassable(at)) return { why, command: `install -d -o ${ownUid()} -m 0700 ${shellWord(path)}` };
  return { why: `${why}; let this user pass through it, or use another folder; in Kubernetes, set fsGroup` };
}

/** The path, or the nearest folder above it that can be looked at: the way ends there. */
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

import { accessSync, constants, type Stats, statSync } from "node:fs";
import { dirname } from "node:path";
import { shellWord } from "./shell-word.ts";

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

/**
 * What people are told when the system does not let this process use `path`: the error's code, whose permissions stand
 * in the way, and a command that root can run against it. The command never opens more than it must: a folder above is
 * only made passable.
 */
export function describeDenial(path: string, code: string | undefined): string {
  // The working folder itself was removed.
  if (code === "ENOENT" && path === ".") return "does not exist";
  if (code === "ENOENT") return `does not exist; run: install -d -o ${ownUid()} ${shellWord(path)}`;
  const at = nearestVisible(path);
  const access = statSync(at);
  const where = `${at} (${describeAccess(access)})`;
  switch (code) {
    case "EACCES":
    case "EPERM":
      return `is denied to uid ${ownUid()} (${code}) by ${where}; run: ${at === path ? own(path, access) : enter(path, at)}`;
    case "EROFS":
      return `can't be written: ${where} lies on a file system that is mounted read-only; run: ${remount(at)}`;
    case "ENOSPC":
      return `finds no room on the disk of ${where}; run: df -h ${shellWord(at)}; df -i ${shellWord(at)}`;
    default:
      return `can't be used (${code}): the way to it ends at ${where}`;
  }
}

function remount(path: string): string {
  return `mount -o remount,rw "$(findmnt -no TARGET -T ${shellWord(path)})" - or, in a container, mount a volume there`;
}

function own(path: string, { uid }: FileAccess): string {
  if (uid === ownUid()) return `chmod u+rwX ${shellWord(path)}`;
  return `chown ${ownUid()} ${shellWord(path)} - or, in Kubernetes, set fsGroup`;
}

function enter(path: string, above: string): string {
  if (isPassable(above)) return `install -d -o ${ownUid()} -m 0700 ${shellWord(path)}`;
  return `chmod o+x ${shellWord(above)} - or, in Kubernetes, set fsGroup`;
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

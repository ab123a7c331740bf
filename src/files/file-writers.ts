import { describeAccess, type FileAccess, ownUid } from "./file-access.ts";
import { shellWord } from "../domain/shell-word.ts";

/** Who can write a file: every user, its group, this process's own group, or another owner. */
export type Writers = "every user" | "group" | "own group" | "owner";

/** The permission bits with which the group, or every user, can write. */
const GROUP_WRITES = 0o020;
const OTHERS_WRITE = 0o002;

const ROOT = 0;

/** The effective user and group of a process. */
export interface Process {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Who besides `self` and root can write a file with this owner and mode. Undefined if no other user can, and on
 * Windows.
 */
export function otherWriters({ uid, gid, mode }: FileAccess, self = ownProcess()): Writers | undefined {
  if (self === undefined) return undefined;
  if (mode & OTHERS_WRITE) return "every user";
  // With a umask of 002, the group can write new files. It is common on systems on which each user has a private group.
  if (mode & GROUP_WRITES) return gid === self.gid ? "own group" : "group";
  return uid === ROOT || uid === self.uid ? undefined : "owner";
}

/**
 * Describes who can write a file, and the command that corrects it. The text follows the name of the file in a message.
 */
export function describeWriters(writers: Writers, access: FileAccess, file: string): string {
  const owned = `(${describeAccess(access)})`;
  if (writers === "owner") return `belongs to another user than this process, uid ${ownUid()} ${owned}`;
  const who = writers === "every user" ? "every user of this machine" : "its group";
  return `can be changed by ${who} ${owned}; run: chmod go-w ${shellWord(file)}`;
}

function ownProcess(): Process | undefined {
  const [uid, gid] = [process.geteuid?.(), process.getegid?.()];
  return uid === undefined || gid === undefined ? undefined : { uid, gid };
}

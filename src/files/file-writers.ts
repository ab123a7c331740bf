import { describeAccess, type FileAccess, ownUid } from "./file-access.ts";
import { shellWord } from "../domain/shell-word.ts";

/** Who else may change a file: every user, its group, the group that is this process's own, or another owner. */
export type Writers = "everybody" | "group" | "own group" | "owner";

/** Permission bits that let the group, and others, write. */
const GROUP_WRITES = 0o020;
const OTHERS_WRITE = 0o002;

const ROOT = 0;

/** Who a process is to the file system; undefined on Windows, whose modes say nothing of this. */
export interface Process {
  readonly uid: number;
  readonly gid: number;
}

/** Who beside `self` and root may change a file with this owner and mode; undefined: no other user. */
export function otherWriters({ uid, gid, mode }: FileAccess, self = ownProcess()): Writers | undefined {
  if (self === undefined) return undefined;
  if (mode & OTHERS_WRITE) return "everybody";
  // Where each user has a group alone, a umask of 002 makes such files.
  if (mode & GROUP_WRITES) return gid === self.gid ? "own group" : "group";
  return uid === ROOT || uid === self.uid ? undefined : "owner";
}

/** What people are told of it. It completes the sentence that the file's name begins. */
export function describeWriters(writers: Writers, access: FileAccess, file: string): string {
  const owned = `(${describeAccess(access)})`;
  if (writers === "owner") return `belongs to another user than this process, uid ${ownUid()} ${owned}`;
  const who = writers === "everybody" ? "every user of this machine" : "its group";
  return `can be changed by ${who} ${owned}; run: chmod go-w ${shellWord(file)}`;
}

function ownProcess(): Process | undefined {
  const [uid, gid] = [process.geteuid?.(), process.getegid?.()];
  return uid === undefined || gid === undefined ? undefined : { uid, gid };
}

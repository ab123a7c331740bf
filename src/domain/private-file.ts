import { closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs";
import { describeAccess, describeDenial, type FileAccess } from "./file-access.ts";
import { shellWord } from "./shell-word.ts";

/** A file with a secret in it can't be read, or should not be trusted. `message` says how to mend it. */
export class PrivateFileError extends Error {
  override readonly name = "PrivateFileError";
  /** The file, as it was given. */
  readonly file: string;

  constructor(file: string, problem: string) {
    super(`${file} ${problem}`);
    this.file = file;
  }
}

/** Keys have a few kilobytes. More is a wrong file, and it should not fill our memory. */
const MAX_BYTES = 1024 * 1024;

/** Permission bits of the group and of others. */
const GROUP_READS = 0o040;
const GROUP_WRITES = 0o020;
const OTHERS = 0o007;

/**
 * Reads a file that holds a secret, of at most 1 MiB. Symbolic links are followed, since Kubernetes mounts files through
 * them; what counts is the file at their end. Throws {@link PrivateFileError} when it can't be read, is no regular file,
 * or fails {@link privacyProblem}.
 */
export function readPrivateFile(file: string): Buffer {
  const descriptor = open(file);
  try {
    // The file that is checked is the one that is read, even if its name means another one by now.
    const stats = fstatSync(descriptor);
    if (!stats.isFile()) throw new PrivateFileError(file, "is not a regular file");
    if (stats.size > MAX_BYTES) throw new PrivateFileError(file, `is larger than ${MAX_BYTES} bytes`);
    const problem = privacyProblem(stats, file);
    if (problem !== undefined) throw new PrivateFileError(file, problem);
    return readFileSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/**
 * Why a file with this owner and mode does not keep a secret; undefined when it does. Others may do nothing with it. The
 * group may not write it, and may read it only if root owns it: that is how Kubernetes gives a file to a process that
 * does not run as root (fsGroup). The text completes the sentence that the file's name begins.
 */
export function privacyProblem(access: FileAccess, file: string): string | undefined {
  const { uid, mode } = access;
  const owned = `(${describeAccess(access)})`;
  const chmod = `chmod 0600 ${shellWord(file)}`;
  if (mode & OTHERS) return `is open to every user of this machine ${owned}; mend it with: ${chmod}`;
  if (mode & GROUP_WRITES) return `can be changed by its group ${owned}; mend it with: ${chmod}`;
  if (mode & GROUP_READS && uid !== 0) {
    return `can be read by its group ${owned}; mend it with: ${chmod} - or, if the group needs it: chown root ${shellWord(file)}`;
  }
  return undefined;
}

/** Without waiting for a writer, which opening a named pipe would otherwise do for ever. */
function open(file: string): number {
  try {
    return openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new PrivateFileError(file, code === "ENOENT" ? "does not exist" : describeDenial(file, code));
  }
}

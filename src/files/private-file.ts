import { closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs";
import { describeAccess, describeDenial, type FileAccess, linkTarget } from "./file-access.ts";
import { shellWord } from "../domain/shell-word.ts";
import { StartError } from "../domain/start-refused.ts";

/** A file with a secret can't be read, or its permissions are too wide. `message` says how to correct it. */
export class PrivateFileError extends StartError {
  override readonly name = "PrivateFileError";
  /** The path of the file, as the caller passed it. */
  readonly file: string;

  constructor(file: string, problem: string, options?: ErrorOptions) {
    super(`${file} ${problem}`, options);
    this.file = file;
  }
}

/** Keys have a few kilobytes. A larger file is a wrong file, and could fill the memory. */
const MAX_BYTES = 1024 * 1024;

/** The permission bits of the group and of other users. */
const GROUP_READS = 0o040;
const GROUP_WRITES = 0o020;
const OTHERS = 0o007;

const ROOT = 0;

/**
 * Reads a file of at most 1 MiB that contains a secret. It follows symbolic links, because Kubernetes mounts files
 * through them, and checks the file to which they lead. Throws {@link PrivateFileError} if the file can't be read, is
 * not a regular file, or has a {@link privacyProblem}.
 */
export function readPrivateFile(file: string): Buffer {
  const descriptor = open(file);
  try {
    // Check the open descriptor, so that the checked file is the one that is read, even if the path now names another
    // file.
    const stats = fstatSync(descriptor);
    const owned = `(${describeAccess(stats)})`;
    if (!stats.isFile()) throw new PrivateFileError(file, `is not a regular file ${owned}`);
    if (stats.size > MAX_BYTES) throw new PrivateFileError(file, `is larger than ${MAX_BYTES} bytes ${owned}`);
    const problem = privacyProblem(stats, file);
    if (problem !== undefined) throw new PrivateFileError(file, problem);
    return readFileSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** The user and the group that read a private file. Default: those of this process. */
export interface Reader {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Why the owner and the mode of a file do not protect a secret; undefined if they do. The rules are those of PostgreSQL
 * for its keys (ssl_key_file): the file belongs to its reader or to root, other users have no access, the group can't
 * write it, and the group can read it only if root owns it. The last case is how Kubernetes gives a file to a process
 * that does not run as root (fsGroup). The text follows the name of the file in a message.
 */
export function privacyProblem(access: FileAccess, file: string, reader = ownReader(access)): string | undefined {
  const { uid, mode } = access;
  const owned = `(${describeAccess(access)})`;
  if (mode & OTHERS) return `is open to every user of this machine ${owned}; ${remedy(access, file, reader)}`;
  if (mode & GROUP_WRITES) return `can be changed by its group ${owned}; ${remedy(access, file, reader)}`;
  if (mode & GROUP_READS && uid !== ROOT) {
    const orElse = isDockerSecret(file) ? "" : ` - or, if the group needs it: chown root ${shellWord(file)}`;
    return `can be read by its group ${owned}; ${remedy(access, file, reader)}${orElse}`;
  }
  if (uid !== ROOT && uid !== reader.uid) {
    const remedy = isDockerSecret(file) ? dockerAdvice(reader) : `run: chown ${reader.uid} ${shellWord(file)}`;
    return `belongs to another user than this process, uid ${reader.uid} ${owned}; ${remedy}`;
  }
  return undefined;
}

/**
 * The command that corrects the permissions. A file that root owns keeps its owner, and the reader gets access through
 * its group.
 */
function remedy({ uid }: FileAccess, path: string, reader: Reader): string {
  if (isDockerSecret(path)) return dockerAdvice(reader);
  const file = shellWord(path);
  if (uid === reader.uid) return `run: chmod 0600 ${file}`;
  if (uid !== ROOT) return `run: chown ${reader.uid} ${file} && chmod 0600 ${file}`;
  const command = `chown root:${reader.gid} ${file} && chmod 0440 ${file}`;
  return `run: ${command} - or, in Kubernetes, defaultMode: 0440 and fsGroup: ${reader.gid}`;
}

/** Where Docker, Swarm, Compose and Podman mount secrets, by default owned by root and with mode 0444. */
const DOCKER_SECRETS = "/run/secrets/";

function isDockerSecret(path: string): boolean {
  return path.startsWith(DOCKER_SECRETS);
}

/** Advice instead of a command, because no command in the container can change such a mount. */
function dockerAdvice({ uid }: Reader): string {
  const swarm = `give the service the secret with uid: "${uid}" and mode: 0400`;
  return `it is a Docker secret: ${swarm}; Compose keeps the owner and the mode of its file on the host`;
}

/** The effective user and group of this process. On Windows, which has none, every file counts as the reader's own. */
function ownReader({ uid, gid }: FileAccess): Reader {
  return { uid: process.geteuid?.() ?? uid, gid: process.getegid?.() ?? gid };
}

/** Opens a file without blocking. Otherwise, opening a named pipe would wait for a writer, possibly forever. */
function open(file: string): number {
  try {
    return openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const isMissing = code === "ENOENT" && linkTarget(file) === undefined;
    const problem = isMissing ? "does not exist" : describeDenial(file, code);
    throw new PrivateFileError(file, problem, { cause: error });
  }
}

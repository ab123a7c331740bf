import { closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs";
import { describeAccess, describeDenial, type FileAccess, linkTarget } from "./file-access.ts";
import { shellWord } from "../domain/shell-word.ts";
import { StartError } from "../domain/start-refused.ts";

/** A file with a secret in it can't be read, or should not be trusted. `message` says how to mend it. */
export class PrivateFileError extends StartError {
  override readonly name = "PrivateFileError";
  /** The file, as it was given. */
  readonly file: string;

  constructor(file: string, problem: string, options?: ErrorOptions) {
    super(`${file} ${problem}`, options);
    this.file = file;
  }
}

/** Keys have a few kilobytes. More is a wrong file, and it should not fill our memory. */
const MAX_BYTES = 1024 * 1024;

/** Permission bits of the group and of others. */
const GROUP_READS = 0o040;
const GROUP_WRITES = 0o020;
const OTHERS = 0o007;

const ROOT = 0;

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

/** Who reads a private file: the process's own user and group, unless a test says otherwise. */
export interface Reader {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Why a file with this owner and mode does not keep a secret; undefined when it does. As PostgreSQL has it for its keys
 * (ssl_key_file): it belongs to its reader or to root, others may do nothing with it, the group may not write it, and may
 * read it only if root owns it. That is how Kubernetes gives a file to a process that does not run as root (fsGroup). The
 * text completes the sentence that the file's name begins.
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

/** What root owns stays root's, and is given to the group of a reader who would not get to it otherwise. */
function remedy({ uid }: FileAccess, path: string, reader: Reader): string {
  if (isDockerSecret(path)) return dockerAdvice(reader);
  const file = shellWord(path);
  if (uid === reader.uid) return `run: chmod 0600 ${file}`;
  if (uid !== ROOT) return `run: chown ${reader.uid} ${file} && chmod 0600 ${file}`;
  const command = `chown root:${reader.gid} ${file} && chmod 0440 ${file}`;
  return `run: ${command} - or, in Kubernetes, defaultMode: 0440 and fsGroup: ${reader.gid}`;
}

/** Where Docker, Swarm, Compose and Podman mount secrets: root's, with mode 0444, by default. */
const DOCKER_SECRETS = "/run/secrets/";

function isDockerSecret(path: string): boolean {
  return path.startsWith(DOCKER_SECRETS);
}

/** No command that runs in the container could change such a mount. */
function dockerAdvice({ uid }: Reader): string {
  const swarm = `give the service the secret with uid: "${uid}" and mode: 0400`;
  return `it is a Docker secret: ${swarm}; Compose keeps the owner and the mode of its file on the host`;
}

/** Windows has no users in this sense: there, everything is its reader's. */
function ownReader({ uid, gid }: FileAccess): Reader {
  return { uid: process.geteuid?.() ?? uid, gid: process.getegid?.() ?? gid };
}

/** Without waiting for a writer, which opening a named pipe would otherwise do for ever. */
function open(file: string): number {
  try {
    return openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const isNowhere = code === "ENOENT" && linkTarget(file) === undefined;
    const problem = isNowhere ? "does not exist" : describeDenial(file, code);
    throw new PrivateFileError(file, problem, { cause: error });
  }
}

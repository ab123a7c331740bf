import { randomBytes } from "node:crypto";
import { type FileHandle, access, constants, lstat, open, realpath, rename, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { describeAccess, describeObstacle } from "../files/file-access.ts";
import { CommandFailed } from "./command-failed.ts";

/**
 * Checks that {@link writeSecretFile} can write a secret to this file, so that the problem is reported before a long
 * wait and not after it. Rejects with CommandFailed.
 */
export async function expectSecretFile(file: string): Promise<void> {
  const problem = await problemOf(file);
  if (problem !== undefined) throw new CommandFailed("usage", `--out ${file} ${problem}`);
  // The trailing slash makes the check fail unless the path is a folder.
  await permitted(file, () => access(`${dirname(file)}/`, constants.W_OK | constants.X_OK));
}

/** Why a secret must not replace this file, as the end of a sentence; undefined if it may. */
async function problemOf(file: string): Promise<string | undefined> {
  if (file.endsWith("/")) return "is the path of a folder; use the path of a file";
  // If root runs the command, it would replace /dev/null for the whole machine, or the link /dev/stdout by a file.
  const folder = await realpath(dirname(file)).catch(() => dirname(file));
  if (/^\/(dev|proc|sys)(\/|$)/.test(folder)) {
    return `is below ${folder}, which belongs to the kernel; use --out - for standard output`;
  }
  const there = await lstat(file).catch(() => undefined);
  if (there?.isSymbolicLink()) return "is a symbolic link, which would be replaced; use the path of its target";
  if (there !== undefined && !there.isFile())
    return `is not a regular file (${describeAccess(there)}); use another path`;
  return undefined;
}

/**
 * Writes a secret to a file that only its owner can read (0400). The replacement is atomic, by renaming a temporary
 * file in the same folder: a reader sees the complete old content or the complete new one. Rejects with CommandFailed.
 */
export async function writeSecretFile(file: string, content: Uint8Array): Promise<void> {
  await expectSecretFile(file);
  await permitted(file, () => replace(file, content));
}

async function replace(file: string, content: Uint8Array): Promise<void> {
  const temporary = join(dirname(file), `.${basename(file)}.${randomBytes(6).toString("hex")}`);
  // O_EXCL: never writes to a file or through a link that another user created with that name.
  const handle = await open(temporary, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o400);
  try {
    await fill(handle, content);
    await rename(temporary, file);
  } catch (error) {
    await unlink(temporary);
    throw error;
  }
}

/** Turns an error of the file system in the file's folder into CommandFailed. The folder may belong to another user. */
async function permitted(file: string, action: () => Promise<void>): Promise<void> {
  try {
    await action();
  } catch (cause) {
    const folder = dirname(file);
    const obstacle = describeObstacle(folder, (cause as NodeJS.ErrnoException).code);
    throw new CommandFailed("other", `can't write ${file}: ${folder} ${obstacle}; use another --out`);
  }
}

async function fill(handle: FileHandle, content: Uint8Array): Promise<void> {
  try {
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

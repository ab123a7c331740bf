import { randomBytes } from "node:crypto";
import { type FileHandle, access, constants, lstat, open, realpath, rename, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { describeAccess, describeObstacle } from "../files/file-access.ts";
import { CommandFailed } from "./command-failed.ts";

/**
 * Makes sure that a secret can be written to this file by {@link writeSecretFile}: better known before a long wait than
 * after it. Rejects with CommandFailed.
 */
export async function expectSecretFile(file: string): Promise<void> {
  const problem = await problemOf(file);
  if (problem !== undefined) throw new CommandFailed("usage", `--out ${file} ${problem}`);
  // With a slash at its end it is a path that only a folder can have.
  await permitted(file, () => access(`${dirname(file)}/`, constants.W_OK | constants.X_OK));
}

/** Why a secret must not be written in the place of this file, as the end of a sentence; undefined: it may. */
async function problemOf(file: string): Promise<string | undefined> {
  if (file.endsWith("/")) return "is the path of a folder; give that of a file";
  // As root a secret would take the place of /dev/null for the whole machine, or of /dev/stdout where that leads to a file.
  const folder = await realpath(dirname(file)).catch(() => dirname(file));
  if (/^\/(dev|proc|sys)(\/|$)/.test(folder)) {
    return `is below ${folder}, which belongs to the kernel; for standard output give --out -`;
  }
  const there = await lstat(file).catch(() => undefined);
  if (there?.isSymbolicLink()) return "is a symbolic link, which would be replaced; give the file that it leads to";
  if (there !== undefined && !there.isFile()) return `is not a regular file (${describeAccess(there)}); give another`;
  return undefined;
}

/**
 * Writes a secret to a file that only its owner can read (0400). A reader sees the old content or the new one and
 * nothing between: a temporary file beside it takes its place at the end. Rejects with CommandFailed where it can't.
 */
export async function writeSecretFile(file: string, content: Uint8Array): Promise<void> {
  await expectSecretFile(file);
  await permitted(file, () => replace(file, content));
}

async function replace(file: string, content: Uint8Array): Promise<void> {
  const temporary = join(dirname(file), `.${basename(file)}.${randomBytes(6).toString("hex")}`);
  // O_EXCL: nobody's file or link of that name is written through.
  const handle = await open(temporary, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o400);
  try {
    await fill(handle, content);
    await rename(temporary, file);
  } catch (error) {
    await unlink(temporary);
    throw error;
  }
}

/** What the system says against an action in the file's folder becomes CommandFailed. The folder may be anybody's. */
async function permitted(file: string, action: () => Promise<void>): Promise<void> {
  try {
    await action();
  } catch (cause) {
    const folder = dirname(file);
    const obstacle = describeObstacle(folder, (cause as NodeJS.ErrnoException).code);
    throw new CommandFailed("other", `can't write ${file}: ${folder} ${obstacle}; give another --out`);
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

import { randomBytes } from "node:crypto";
import { type FileHandle, access, constants, open, rename, stat, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { describeAccess, describeObstacle } from "../domain/file-access.ts";
import { CommandFailed } from "./command-failed.ts";

/**
 * Makes sure that a secret can be written to this file by {@link writeSecretFile}: better known before a long wait than
 * after it. Rejects with CommandFailed.
 */
export async function expectSecretFile(file: string): Promise<void> {
  // With a slash at its end it is a path that only a folder can have.
  await permitted(file, () => access(`${dirname(file)}/`, constants.W_OK | constants.X_OK));
  const there = await stat(file).catch(() => undefined);
  // As root, /dev/null or the terminal would become a file with a secret in it.
  if (!file.endsWith("/") && (there === undefined || there.isFile())) return;
  const what = there === undefined ? file : `${file} (${describeAccess(there)})`;
  throw new CommandFailed("usage", `${what} is no file that a secret could take the place of; give another --out`);
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

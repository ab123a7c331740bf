import { randomBytes } from "node:crypto";
import { type FileHandle, access, constants, open, rename, stat, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { describeAccess, describeDenial } from "../domain/file-access.ts";
import { CommandFailed } from "./command-failed.ts";

/**
 * Makes sure that a secret can be written to this file by {@link writeSecretFile}: better known before a long wait than
 * after it. Rejects with CommandFailed, with what mends it.
 */
export async function expectSecretFile(file: string): Promise<void> {
  const folder = dirname(file);
  await permitted(file, () => access(folder, constants.W_OK | constants.X_OK));
  const there = await stat(file).catch(() => undefined);
  // As root, /dev/null or the terminal would become a file with a secret in it.
  if (there === undefined || there.isFile()) return;
  const problem = `${file} (${describeAccess(there)}) is there, and no file that a secret could take the place of`;
  throw new CommandFailed("usage", `${problem}; give another --out`);
}

/**
 * Writes a secret to a file that only its owner can read (0400). A reader sees the old content or the new one and
 * nothing between: a temporary file beside it takes its place at the end. Rejects with CommandFailed where it can't.
 */
export async function writeSecretFile(file: string, content: Uint8Array): Promise<void> {
  await expectSecretFile(file);
  const temporary = join(dirname(file), `.${basename(file)}.${randomBytes(6).toString("hex")}`);
  // O_EXCL: nobody's file or link of that name is written through.
  const flags = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY;
  const handle = await permitted(file, () => open(temporary, flags, 0o400));
  try {
    await permitted(file, () => fill(handle, content));
    await rename(temporary, file);
  } catch (error) {
    await unlink(temporary);
    throw error;
  }
}

/** What the system says against an action in the file's folder becomes CommandFailed. */
async function permitted<T>(file: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    const folder = dirname(file);
    const denial = describeDenial(folder, (cause as NodeJS.ErrnoException).code);
    throw new CommandFailed("other", `can't write ${file}: ${folder} ${denial}`);
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

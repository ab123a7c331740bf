import { randomBytes } from "node:crypto";
import { type FileHandle, constants, open, rename, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/**
 * Writes a secret to a file that only its owner can read (0400). A reader sees the old content or the new one and
 * nothing between: a temporary file beside it takes its place at the end.
 */
export async function writeSecretFile(file: string, content: Uint8Array): Promise<void> {
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

async function fill(handle: FileHandle, content: Uint8Array): Promise<void> {
  try {
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

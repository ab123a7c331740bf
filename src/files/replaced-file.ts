import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";

/**
 * Replaces a file atomically, or creates it: another process reads the old content or the new one, also after a power
 * failure. `mode` is that of the new file. The temporary file is next to it, and has the id of this process in its name.
 * Only one process may replace the file, and not twice at the same time. Rejects with the error of the file system.
 */
export async function replaceFile(file: string, bytes: Uint8Array, mode: number): Promise<void> {
  const temporary = `${file}.${process.pid}.tmp`;
  // An earlier process with this id may have been killed, and have left its temporary file.
  await rm(temporary, { force: true });
  try {
    // "wx" creates the file itself, so it is not opened through a link that someone else has put there.
    await withFile(await open(temporary, "wx", mode), async (handle) => {
      await handle.writeFile(bytes);
      await handle.sync();
    });
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await withFile(await open(dirname(file), "r"), (folder) => folder.sync());
}

async function withFile(handle: FileHandle, task: (handle: FileHandle) => Promise<void>): Promise<void> {
  try {
    await task(handle);
  } finally {
    await handle.close();
  }
}

import { mkdtemp, rm } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import type { Environment } from "../../config/option.ts";
import { type TypeOfFileSystem, fileSystemType, isInMemory } from "../../files/memory-file-system.ts";
import { CommandFailed } from "../command-failed.ts";

/**
 * Creates a folder that only this user can enter, on a file system in memory, and removes it with all its files when
 * `use` ends. It is in the user's runtime folder (XDG_RUNTIME_DIR), or otherwise in /dev/shm. Rejects with
 * CommandFailed if neither is in memory: there is no fallback to a disk, whose blocks can keep a removed file for
 * years.
 */
export async function withMemoryFolder<Result>(
  env: Environment,
  use: (folder: string) => Promise<Result>,
  typeOf: TypeOfFileSystem = fileSystemType,
): Promise<Result> {
  const folder = await createFolder(env, typeOf);
  try {
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function createFolder(env: Environment, typeOf: TypeOfFileSystem): Promise<string> {
  const candidates = [env["XDG_RUNTIME_DIR"] ?? "", "/dev/shm"].filter(isAbsolute);
  for (const candidate of candidates) {
    if (!isInMemory(await typeOf(candidate).catch(() => 0))) continue;
    // mkdtemp creates the folder with mode 0700.
    const created = await mkdtemp(join(candidate, "coffer-")).catch(() => undefined);
    if (created !== undefined) return created;
  }
  throw new CommandFailed(
    "usage",
    `edit needs a folder in memory that you can write to (tmpfs), and ${candidates.join(" and ")} can't be used: set ` +
      "XDG_RUNTIME_DIR to one, or use coffer patch",
  );
}

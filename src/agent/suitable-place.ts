import { statSync } from "node:fs";
import { dirname } from "node:path";
import { type TypeOfFileSystem, fileSystemType, isInMemory } from "../files/memory-file-system.ts";
import type { TargetConfig } from "./agent-config.ts";

/**
 * Why a target must not be written to its place; undefined if it may. A disk keeps the blocks of a removed file for
 * years, and they reach backups and the machine's next owner.
 */
export async function placeProblem(
  { name, place, allowDisk }: TargetConfig,
  typeOf: TypeOfFileSystem = fileSystemType,
): Promise<string | undefined> {
  if (allowDisk) return undefined;
  const folder = nearestFolder(place.kind === "file" ? dirname(place.path) : place.path);
  const type = await typeOf(folder).catch(() => undefined);
  if (type !== undefined && isInMemory(type)) return undefined;
  return (
    `the target ${name}: ${folder} is not on a file system in memory (tmpfs); mount one there, ` +
    "or accept that secrets are written to a disk, with allow_disk: true"
  );
}

/** The folder, or its nearest parent that exists. The agent creates the folders below it. */
function nearestFolder(path: string): string {
  const isThere = statSync(path, { throwIfNoEntry: false }) !== undefined;
  return isThere || path === "/" ? path : nearestFolder(dirname(path));
}

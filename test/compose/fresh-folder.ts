import { chmodSync, mkdtempSync } from "node:fs";

/** Makes a folder with a name of its own, which every user may enter: it becomes the root of a container. */
export function freshFolder(prefix: string): string {
  const folder = mkdtempSync(prefix);
  chmodSync(folder, 0o755);
  return folder;
}

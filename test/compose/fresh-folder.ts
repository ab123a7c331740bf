import { chmodSync, mkdtempSync } from "node:fs";

/** Creates a folder that every user may enter, to become the root of a container. */
export function freshFolder(prefix: string): string {
  const folder = mkdtempSync(prefix);
  chmodSync(folder, 0o755);
  return folder;
}

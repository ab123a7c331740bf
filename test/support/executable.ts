import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** Whether this process may run the file. */
export function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Where a program is: on the PATH, or else in one of these folders; undefined when it is nowhere. */
export function findProgram(name: string, ...folders: readonly string[]): string | undefined {
  const path = (process.env["PATH"] ?? "").split(delimiter);
  return [...path, ...folders].map((folder) => join(folder, name)).find(isExecutable);
}

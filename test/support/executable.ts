import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** Whether this process may execute the file. */
export function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The path of a program: on the PATH, or in one of these folders; undefined if it is in neither. */
export function findProgram(name: string, ...folders: readonly string[]): string | undefined {
  const path = (process.env["PATH"] ?? "").split(delimiter);
  return [...path, ...folders].map((folder) => join(folder, name)).find(isExecutable);
}

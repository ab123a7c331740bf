import { readFileSync } from "node:fs";

/** The text of a file; undefined if it does not exist, or if its folder is replaced at this moment. */
export function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

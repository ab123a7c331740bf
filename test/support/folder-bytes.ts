import { execFileSync } from "node:child_process";

/**
 * Every file below a folder with its kind, size and digest, a line each: two folders are equal when these are. Another
 * process reads them: to read a database that this one has open would drop its locks.
 */
export function bytesBelow(folder: string): readonly string[] {
  const script = "find . -printf '%y %s %P\\n' && find . -type f -exec sha256sum {} +";
  const lines = execFileSync("sh", ["-c", script], { cwd: folder, encoding: "utf8" }).trimEnd().split("\n");
  return lines.filter((line) => !line.startsWith("d ")).sort();
}

import { execFileSync } from "node:child_process";

/**
 * A line for each file below a folder, with its kind, size and digest: equal lines mean equal folders. A separate
 * process reads the files, because closing a file of a database that this process has open would drop its locks.
 */
export function bytesBelow(folder: string): readonly string[] {
  const script = "find . -printf '%y %s %P\\n' && find . -type f -exec sha256sum {} +";
  const lines = execFileSync("sh", ["-c", script], { cwd: folder, encoding: "utf8" }).trimEnd().split("\n");
  return lines.filter((line) => !line.startsWith("d ")).sort();
}

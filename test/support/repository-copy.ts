import { execFileSync } from "node:child_process";
import { cpSync, existsSync, symlinkSync } from "node:fs";
import { join, resolve } from "node:path";

/**
 * Copies the files of this repository that git knows or would add, as they are in the work tree, for tests of the
 * scripts. `node_modules` becomes a symbolic link.
 */
export function copyRepository(folder: string, isNeeded: (file: string) => boolean = () => true): void {
  const listed = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    encoding: "utf8",
  });
  const files = listed.split("\0").filter((file) => file !== "" && existsSync(file));
  for (const file of files.filter(isNeeded)) cpSync(file, join(folder, file));
  symlinkSync(resolve("node_modules"), join(folder, "node_modules"));
}

import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";

/** The shared libraries that a program of this machine is loaded with, its loader among them, by absolute paths. */
export function librariesOf(program: string): string[] {
  try {
    const told = execFileSync("ldd", [program], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    return [...told.matchAll(/(\/\S+) \(0x/g)].map(([, path]) => path!);
  } catch {
    return []; // ldd fails at a static program
  }
}

/** What a library is called by those who need it, as in "libc.so.6". */
export function nameOf(library: string): string {
  return basename(library);
}

/** Copies files of this machine to the same paths below `root`, links followed. */
export function copyTo(root: string, paths: readonly string[]): void {
  for (const path of paths) place(path, join(root, path));
}

/** Copies one file of this machine, links followed, and makes the folders above it. */
export function place(from: string, to: string, mode = 0o755): void {
  mkdirSync(dirname(to), { recursive: true, mode: 0o755 });
  copyFileSync(from, to);
  chmodSync(to, mode);
}

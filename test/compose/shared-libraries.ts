import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";

/** The absolute paths of the shared libraries that a program of this machine loads, including the loader. */
export function librariesOf(program: string): string[] {
  try {
    const output = execFileSync("ldd", [program], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    return [...output.matchAll(/(\/\S+) \(0x/g)].map(([, path]) => path!);
  } catch {
    return []; // ldd fails at a static program
  }
}

/** The name by which other programs load a library, such as "libc.so.6". */
export function nameOf(library: string): string {
  return basename(library);
}

/** Copies files of this machine to the same paths below `root`, and follows links. */
export function copyTo(root: string, paths: readonly string[]): void {
  for (const path of paths) place(path, join(root, path));
}

/** Copies one file of this machine, follows links, and creates the folders above it. */
export function place(from: string, to: string, mode = 0o755): void {
  mkdirSync(dirname(to), { recursive: true, mode: 0o755 });
  copyFileSync(from, to);
  chmodSync(to, mode);
}

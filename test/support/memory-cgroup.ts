import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** A cgroup with a memory limit, as a container has: the kernel kills processes that exceed it. */
export interface MemoryCgroup {
  /** The command line in front of a program that is to run in it. */
  readonly prefix: readonly string[];
  /** Removes it. Its processes must have ended. */
  readonly remove: () => void;
}

// The root of each version of cgroups, and the file with the limit in bytes.
const VERSIONS = [
  { root: "/sys/fs/cgroup/memory", limit: "memory.limit_in_bytes" },
  { root: "/sys/fs/cgroup", limit: "memory.max" },
] as const;

/** Creates a cgroup with a limit in bytes. Returns the reason if this user may not. */
export function memoryCgroup(bytes: number): MemoryCgroup | { readonly because: string } {
  let because = "this machine has no control groups for memory";
  for (const { root, limit } of VERSIONS) {
    const folder = join(root, `coffer-test-${process.pid}`);
    try {
      if (!existsSync(root)) continue;
      mkdirSync(folder);
      writeFileSync(join(folder, limit), String(bytes));
      readFileSync(join(folder, limit));
      const prefix = ["sh", "-c", `echo $$ > ${join(folder, "cgroup.procs")} && exec "$@"`, "sh"];
      return { prefix, remove: () => rmdirSync(folder) };
    } catch (error) {
      because = `no control group can be made: ${(error as NodeJS.ErrnoException).code}`;
      if (existsSync(folder)) rmdirSync(folder);
    }
  }
  return { because };
}

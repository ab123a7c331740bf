import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** A control group in which processes have so much memory, as in a container: the kernel kills what takes more. */
export interface MemoryCgroup {
  /** Runs a program in it: what stands before the program's own name. */
  readonly prefix: readonly string[];
  /** Its processes must have ended. */
  readonly remove: () => void;
}

// Where the two versions of cgroups have their root, and the file with the limit in bytes.
const VERSIONS = [
  { root: "/sys/fs/cgroup/memory", limit: "memory.limit_in_bytes" },
  { root: "/sys/fs/cgroup", limit: "memory.max" },
] as const;

/** Makes a control group with a limit in bytes; why not, where only others may. */
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

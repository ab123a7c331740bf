import type { KernelFiles } from "./kernel-files.ts";

/**
 * What kinds of memory a core dump of this process holds, as bits (core(5), proc_pid_coredump_filter(5)). A program may
 * set it for itself, which it can't do with the limit of a dump's size in Node; and it counts where a dump goes into a
 * pipe, as with systemd-coredump, where a limit of 0 does not.
 */
const DUMP_FILTER = "/proc/self/coredump_filter";

/**
 * Takes all memory out of core dumps. Returns a warning with what ends it when a dump would hold memory all the same,
 * or when one would be written at all: the registers stay in it.
 */
export function emptyCoreDumps({ read, write }: KernelFiles): string | undefined {
  write(DUMP_FILTER, "0");
  if (!/^0+\n?$/.test(read(DUMP_FILTER) ?? "")) {
    return `a core dump can hold secrets, because ${DUMP_FILTER} can't be set to 0; ${NO_DUMPS}`;
  }
  const limit = /^Max core file size +(\S+)/m.exec(read("/proc/self/limits") ?? "")?.[1] ?? "unknown";
  return limit === "0" ? undefined : `core dumps are on (limit ${limit}), though without memory; ${NO_DUMPS}`;
}

const NO_DUMPS = "run `ulimit -c 0` before the server, or set LimitCORE=0 (systemd), or ulimits: core: 0 (compose)";

/**
 * A warning with what ends it, when the kernel may write memory of this process to swap, or when that is unknown. Only
 * the second version of cgroups is asked: with the first, a machine with swap counts as one that uses it.
 */
export function swapWarning({ read }: KernelFiles): string | undefined {
  const swaps = read("/proc/swaps");
  if (swaps === undefined) return `whether secrets can be swapped is unknown, because /proc/swaps can't be read`;
  const [, ...areas] = swaps.trim().split("\n");
  if (areas.length === 0 || isForbiddenToSwap(read)) return undefined;
  return "secrets can be swapped to a disk; set MemorySwapMax=0 (systemd) or memory.swap.max of the cgroup, or run swapoff";
}

/** A limit on a cgroup is one on everything below. */
function isForbiddenToSwap(read: KernelFiles["read"]): boolean {
  const path = /^0::(\/.*)$/m.exec(read("/proc/self/cgroup") ?? "")?.[1] ?? "/";
  const names = path.split("/").filter((name) => name !== "");
  const folders = [...names.keys(), names.length].map((depth) =>
    ["/sys/fs/cgroup", ...names.slice(0, depth)].join("/"),
  );
  return folders.some((folder) => read(`${folder}/memory.swap.max`)?.trim() === "0");
}

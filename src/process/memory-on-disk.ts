import { cgroupFolders } from "./cgroup.ts";
import type { KernelFiles } from "./kernel-files.ts";

/**
 * The kinds of memory that a core dump of this process contains, as bits (core(5), proc_pid_coredump_filter(5)). A
 * process can set this filter for itself, but Node can't set the size limit of core dumps. The filter also applies to
 * dumps that the kernel pipes to a program such as systemd-coredump. A size limit of 0 does not apply to them.
 */
const DUMP_FILTER = "/proc/self/coredump_filter";

/**
 * Excludes all memory from core dumps. Returns a warning, with its fix, if that failed, or if a dump would be written
 * at all, because it still contains the registers.
 */
export function emptyCoreDumps({ read, write }: KernelFiles): string | undefined {
  write(DUMP_FILTER, "0");
  if (!/^0+\n?$/.test(read(DUMP_FILTER) ?? "")) {
    return `a core dump may contain secrets, because ${DUMP_FILTER} can't be set to 0; ${NO_DUMPS}`;
  }
  const limit = /^Max core file size +(\S+)/m.exec(read("/proc/self/limits") ?? "")?.[1] ?? "unknown";
  return limit === "0" ? undefined : `core dumps are enabled (limit ${limit}), but exclude memory; ${NO_DUMPS}`;
}

const NO_DUMPS = "run `ulimit -c 0` before the server, or set LimitCORE=0 (systemd), or ulimits: core: 0 (compose)";

/**
 * A warning, with its fix, if the kernel may write memory of this process to swap, or if that is unknown. Only cgroup
 * version 2 is checked: with version 1, any swap on the machine causes the warning.
 */
export function swapWarning({ read }: KernelFiles): string | undefined {
  const swaps = read("/proc/swaps");
  if (swaps === undefined) return "secrets may be swapped to a disk: /proc/swaps can't be read";
  const [, ...areas] = swaps.trim().split("\n");
  if (areas.length === 0 || isForbiddenToSwap(read)) return undefined;
  return "secrets may be swapped to a disk; set MemorySwapMax=0 (systemd) or memory.swap.max of the cgroup, or run swapoff";
}

/** Whether this process's cgroup, or one above it, forbids swap. */
function isForbiddenToSwap(read: KernelFiles["read"]): boolean {
  return cgroupFolders({ read }).some((folder) => read(`${folder}/memory.swap.max`)?.trim() === "0");
}

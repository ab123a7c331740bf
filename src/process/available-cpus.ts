import { cgroupFolders, controllerFolders } from "./cgroup.ts";
import type { KernelFiles } from "./kernel-files.ts";

/**
 * The number of CPUs that this process may use: at most `parallelism`, which respects the affinity of the process, and
 * at most the CPU time that its cgroups grant, rounded down. At least 1. Not every supported release of Node includes the
 * cgroups in `os.availableParallelism()`.
 */
export function availableCpus(files: Pick<KernelFiles, "read">, parallelism: number): number {
  const quotas = [
    ...cgroupFolders(files).map((folder) => quota(files.read(`${folder}/cpu.max`))),
    ...controllerFolders(files, "cpu").map((folder) =>
      quota(`${files.read(`${folder}/cpu.cfs_quota_us`)} ${files.read(`${folder}/cpu.cfs_period_us`)}`),
    ),
  ];
  return Math.max(1, Math.floor(Math.min(parallelism, ...quotas)));
}

/**
 * The number of CPUs that a cgroup grants, from the text "QUOTA PERIOD" in microseconds. It is infinite if the cgroup has
 * no limit (QUOTA is then "max" with cgroups v2 and "-1" with v1) or no such file, like the root of v2.
 */
function quota(text: string | undefined): number {
  const [, micros, period] = /^(\d+)\s+([1-9]\d*)\s*$/.exec(text?.replace(/\s+/g, " ") ?? "") ?? [];
  return micros === undefined ? Number.POSITIVE_INFINITY : Number(micros) / Number(period);
}

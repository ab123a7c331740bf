import type { KernelFiles } from "./kernel-files.ts";

const ROOT = "/sys/fs/cgroup";

/**
 * The folders of this process's cgroup (version 2) and of all cgroups above it, from the root down. A limit on a cgroup
 * applies to all cgroups below it.
 */
export function cgroupFolders({ read }: Pick<KernelFiles, "read">): readonly string[] {
  const path = /^0::(\/.*)$/m.exec(read("/proc/self/cgroup") ?? "")?.[1] ?? "/";
  return foldersOf(ROOT, path);
}

/**
 * The same for a controller of cgroup version 1, such as "cpu". In a container without a cgroup namespace, the path is
 * that of the host and does not exist; the root is then the cgroup of the container.
 */
export function controllerFolders({ read }: Pick<KernelFiles, "read">, controller: string): readonly string[] {
  const lines = (read("/proc/self/cgroup") ?? "").split("\n").map((line) => line.split(":"));
  const [, , path] = lines.find(([, names]) => names?.split(",").includes(controller)) ?? [];
  return path === undefined ? [] : foldersOf(`${ROOT}/${controller}`, path);
}

function foldersOf(root: string, path: string): readonly string[] {
  const names = path.split("/").filter((name) => name !== "");
  return [...names.keys(), names.length].map((depth) => [root, ...names.slice(0, depth)].join("/"));
}

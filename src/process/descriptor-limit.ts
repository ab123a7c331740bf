import type { KernelFiles } from "./kernel-files.ts";

// Beside its connections the server has open: its store (3), its listeners, Node's own (about 20), 64 probes and scrapes
// at most, and for moments the files that it follows.
const OTHER_FILES = 128;

/**
 * A warning with what mends it, when this process may not open as many files as it is to hold connections: those beyond
 * the limit would fail in accept(2), where no reason can be told to anybody. Node has raised the soft limit to the hard
 * one by then. Undefined where the kernel does not tell.
 */
export function fewDescriptors({ read }: KernelFiles, connections: number): string | undefined {
  const limit = /^Max open files +(\d+)/m.exec(read("/proc/self/limits") ?? "")?.[1];
  const needed = connections + OTHER_FILES;
  if (limit === undefined || Number(limit) >= needed) return undefined;
  return (
    `${limit} files may be open, and --max-connections ${connections} needs ${needed}; lower it, or run ` +
    `\`ulimit -n ${needed}\` before the server, or set LimitNOFILE=${needed} (systemd) or ulimits: nofile (compose)`
  );
}

import { MAX_ON_THE_WAY } from "../admission/divided-limits.ts";
import type { KernelFiles } from "./kernel-files.ts";

// Files that the server opens in addition to its connections: its store (3), its listeners, Node's own (about 20), at
// most 64 probes and scrapes, and briefly the files that it follows.
const OTHER_FILES = 128;

// What libuv opens for each thread, rounded up. It is five or six files, depending on the release of Node.
const FILES_OF_A_THREAD = 8;

/**
 * A warning, with its fix, if this process can't open enough files for its connections: those beyond the limit would
 * fail in accept(2), where the peer can get no reason. Node has already raised the soft limit to the hard one.
 * Undefined if the limit suffices or the kernel does not report it.
 */
export function descriptorWarning({ read }: KernelFiles, connections: number, threads: number): string | undefined {
  const limit = /^Max open files +(\d+)/m.exec(read("/proc/self/limits") ?? "")?.[1];
  const passing = threads > 1 ? MAX_ON_THE_WAY + threads * FILES_OF_A_THREAD : 0;
  const needed = connections + OTHER_FILES + passing;
  if (limit === undefined || Number(limit) >= needed) return undefined;
  return (
    `the limit on open files is ${limit}, and --max-connections ${connections} needs ${needed}; lower it, or run ` +
    `\`ulimit -n ${needed}\` before the server, or set LimitNOFILE=${needed} (systemd) or ulimits: nofile (compose)`
  );
}

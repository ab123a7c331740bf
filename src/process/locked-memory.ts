import type { KernelFiles } from "./kernel-files.ts";

// libsodium locks one page for each key. A page has 4 KiB; on some machines with ARM processors 16 or 64.
const PAGE_BYTES = 4096;

// The main thread has the data key. At the start, it also has the root key and further copies of the data key. The pages of
// wiped keys remain locked until the garbage collector frees them. Measured: at most four pages with one thread.
const KEYS_OF_THE_PROCESS = 4;

// With several threads, each has the data key and, while it receives this key, a private key.
const KEYS_OF_A_THREAD = 2;

/**
 * A warning, with its fix, if this process may not lock the keys of `threads` threads into memory: libsodium then leaves
 * them unlocked, without an error, and they may be swapped to a disk. Undefined if the limit suffices or the kernel does
 * not report it.
 */
export function lockedMemoryWarning({ read }: Pick<KernelFiles, "read">, threads: number): string | undefined {
  const limit = /^Max locked memory +(\d+)/m.exec(read("/proc/self/limits") ?? "")?.[1];
  const needed = PAGE_BYTES * mostKeys(threads);
  if (limit === undefined || Number(limit) >= needed) return undefined;
  return (
    `the limit on locked memory is ${limit} bytes, and the keys of --threads ${threads} need ${needed}; lower --threads, ` +
    `or run \`ulimit -l ${needed / 1024}\` before the server, or set LimitMEMLOCK=${needed} (systemd) or ulimits: memlock ` +
    `(compose)`
  );
}

/** The maximum number of keys in the memory of a process. */
export function mostKeys(threads: number): number {
  return KEYS_OF_THE_PROCESS + (threads > 1 ? threads * KEYS_OF_A_THREAD : 0);
}

import { spawnSync } from "node:child_process";

/** The minimum duration of a sync with {@link STALLING_SYNCS}, in milliseconds. */
export const STALL_MS = 2000;

/**
 * Runs a server under strace. The started process is the server and not strace, so its process ID is the one to measure.
 * A filter in the kernel stops the server only at the two system calls that sync a file, so all other calls have their
 * normal cost. All its threads are traced.
 */
export const TRACED = [
  ...["strace", "--daemonize=grandchild", "--follow-forks", "--seccomp-bpf", "--quiet=all", "--output=/dev/null"],
  "--trace=fdatasync,fsync",
];

/** The same, and each sync begins {@link STALL_MS} late. Only the thread that syncs waits. */
export const STALLING_SYNCS = [...TRACED, `--inject=fdatasync,fsync:delay_enter=${STALL_MS * 1000}`];

/** Whether this machine has strace. */
export function hasStrace(): boolean {
  return spawnSync("strace", ["-V"]).status === 0;
}

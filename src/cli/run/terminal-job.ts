import type { KernelFiles } from "../../process/kernel-files.ts";

/**
 * Whether this process is in the foreground of its terminal. The terminal then sends its signals (for Ctrl-C, Ctrl-\
 * and a change of its size) to the whole process group, including child processes (POSIX.1, XBD 11.1.9). Reads the
 * state at each call, because `fg` and `bg` change it. Without /proc, returns `hasTerminal`.
 */
export function isInForeground(files: KernelFiles, hasTerminal: boolean): boolean {
  const status = files.read("/proc/self/stat");
  if (status === undefined) return hasTerminal;
  // proc(5): the name of the program, in parentheses, may contain any character. After it come state, ppid, pgrp,
  // session, tty_nr and tpgid, which is -1 without a terminal.
  const [, , group, , , foreground] = status.slice(status.lastIndexOf(")") + 2).split(" ");
  return group === foreground;
}

import type { KernelFiles } from "../../process/kernel-files.ts";

/**
 * Whether this process is in the foreground of its terminal. What the terminal sends then (for Ctrl-C, Ctrl-\ and a new
 * size) it sends to the whole group, our children included (POSIX.1, XBD 11.1.9). Read anew each time: `fg` and `bg`
 * change it. Without /proc it is taken to be so when there is a terminal at all.
 */
export function isInForeground(files: KernelFiles, hasTerminal: boolean): boolean {
  const status = files.read("/proc/self/stat");
  if (status === undefined) return hasTerminal;
  // proc(5): the name of the program, in parentheses, may hold any character. Behind it: state, ppid, pgrp, session,
  // tty_nr, tpgid, which is -1 without a terminal.
  const [, , group, , , foreground] = status.slice(status.lastIndexOf(")") + 2).split(" ");
  return group === foreground;
}

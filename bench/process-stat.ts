import { readFileSync, readdirSync } from "node:fs";

/** Linux counts CPU time in ticks of 10 ms, independently of the kernel's timer (USER_HZ, proc(5)). */
const TICK_MICROS = 10_000;

/** User and system time of all threads of a process so far, in microseconds. Linux only. */
export function cpuMicros(pid: number): number {
  return ownMicros(`/proc/${pid}/stat`);
}

/**
 * User and system time of each thread of a process so far, in microseconds, by the thread's id. The id of the main thread
 * is that of the process. Linux only.
 */
export function threadMicros(pid: number): ReadonlyMap<number, number> {
  const micros = new Map<number, number>();
  for (const id of readdirSync(`/proc/${pid}/task`)) {
    try {
      micros.set(Number(id), ownMicros(`/proc/${pid}/task/${id}/stat`));
    } catch {
      // the thread has ended
    }
  }
  return micros;
}

function ownMicros(file: string): number {
  const { 11: user, 12: system } = statFields(file);
  return (Number(user) + Number(system)) * TICK_MICROS;
}

/** User and system time of all children of this process that have ended, in microseconds. Linux only. */
export function childrenCpuMicros(): number {
  const { 13: user, 14: system } = statFields("/proc/self/stat");
  return (Number(user) + Number(system)) * TICK_MICROS;
}

/** The fields of proc_pid_stat(5) from the third one, the state, on. */
function statFields(file: string): readonly string[] {
  const stat = readFileSync(file, "utf8");
  // The second field is the program's name in parentheses. The name can contain spaces and parentheses.
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}

/**
 * CPU time of the whole machine so far, in microseconds, including time that the hypervisor gave to others. Linux only.
 */
export function machineCpuMicros(): number {
  const [, user, nice, system, , , irq, softirq, steal] = readFileSync("/proc/stat", "utf8")
    .split(/\s+/, 9)
    .map(Number);
  return (user! + nice! + system! + irq! + softirq! + steal!) * TICK_MICROS;
}

/** The peak of a process's resident memory so far, in bytes. Linux only. */
export function peakRssBytes(pid: number): number {
  return statusBytes(pid, "VmHWM");
}

/** The resident memory of a process, in bytes. Linux only. */
export function rssBytes(pid: number): number {
  return statusBytes(pid, "VmRSS");
}

function statusBytes(pid: number, field: string): number {
  const kilobytes = new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  if (kilobytes === undefined) throw new Error(`/proc/${pid}/status has no ${field}`);
  return Number(kilobytes) * 1024;
}

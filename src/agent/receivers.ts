import { closeSync, constants, openSync, readSync, readdirSync } from "node:fs";
import type { SignalReceiver } from "./agent-config.ts";

/** The processes of this machine, as far as this process sees them. A test passes its own. */
export interface Processes {
  /** The number of this process. */
  readonly self: number;
  /** The content of a short file; undefined if it can't be read. */
  readonly read: (path: string) => string | undefined;
  /** The numbers of all processes. */
  readonly list: () => readonly number[];
  /** Sends a signal. Returns the error code of the system; undefined if it was sent. */
  readonly signal: (pid: number, signal: NodeJS.Signals) => string | undefined;
}

/** More than a pid file, and a file of a process in /proc, contain. */
const MAX_BYTES = 4096;

/**
 * The first {@link MAX_BYTES} of a file. The program that is signalled writes the pid file, often as another user than
 * the agent. A named pipe in its place must not block the agent, and a device must not fill its memory.
 */
function readStart(path: string): string {
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const bytes = Buffer.alloc(MAX_BYTES);
    return bytes.toString("utf8", 0, readSync(descriptor, bytes));
  } finally {
    closeSync(descriptor);
  }
}

/** The processes of this machine, from /proc. */
export const machineProcesses: Processes = {
  self: process.pid,
  read: (path) => {
    try {
      return readStart(path);
    } catch {
      return undefined;
    }
  },
  list: () => readdirSync("/proc").map(Number).filter(Number.isInteger),
  signal: (pid, signal) => {
    try {
      process.kill(pid, signal);
      return undefined;
    } catch (error) {
      return (error as NodeJS.ErrnoException).code ?? "unknown error";
    }
  },
};

/** The numbers of the processes to signal, or why there are none. */
export type Receivers =
  | { readonly kind: "found"; readonly pids: readonly number[] }
  | { readonly kind: "absent" | "failed"; readonly why: string };

/** Finds the processes that get a signal. */
export function receiversOf(receiver: SignalReceiver, processes: Processes): Receivers {
  return receiver.kind === "pid-file" ? fromFile(receiver.path, processes) : withName(receiver.name, processes);
}

function fromFile(path: string, { read, self }: Processes): Receivers {
  const text = read(path);
  if (text === undefined) return { kind: "absent", why: `${path} can't be read` };
  const pid = Number(/^\s*([1-9]\d{0,9})\s*$/.exec(text)?.[1]);
  // A program that has created the file, but has not written its number yet, counts as absent.
  if (Number.isNaN(pid)) return { kind: "absent", why: `${path} does not contain the number of a process` };
  if (pid === self) return { kind: "failed", why: `${path} contains the number of the agent itself` };
  return { kind: "found", pids: [pid] };
}

/** Leaves out workers, whose parent has the same name: a server such as nginx passes the signal on to them. */
function withName(name: string, { list, read, self }: Processes): Receivers {
  const pids = list().filter((pid) => pid !== self && read(`/proc/${pid}/comm`)?.trimEnd() === name);
  const leaders = pids.filter((pid) => !pids.includes(parentOf(pid, read)));
  if (leaders.length === 0) return { kind: "absent", why: `no process has the name ${name}` };
  return { kind: "found", pids: leaders };
}

/** proc_pid_stat(5): the name, in parentheses, may contain any character. After it come the state and the parent. */
function parentOf(pid: number, read: Processes["read"]): number {
  const status = read(`/proc/${pid}/stat`) ?? "";
  return Number(status.slice(status.lastIndexOf(")") + 2).split(" ")[1]);
}

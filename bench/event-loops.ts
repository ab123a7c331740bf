import { readFileSync, readdirSync, readlinkSync } from "node:fs";

/**
 * The number of open connections to a port of a process on each of its event loops, the most first. Each thread of Node
 * has an event loop of its own, which watches the sockets of the thread with an epoll instance; the kernel lists what
 * an instance watches (proc_pid_fdinfo(5)). The server's own counts are not used: it places connections by them, so a
 * wrong count would hide a wrong spread. Linux only.
 */
export function connectionsByEventLoop(pid: number, port: number): readonly number[] {
  const established = establishedInodes(pid, port);
  const descriptors = readDescriptors(pid);
  const isConnection = (fd: number) => established.has(descriptors.get(fd) ?? "");
  const loops = [...descriptors].filter(([, target]) => target === "anon_inode:[eventpoll]");
  return loops.map(([epoll]) => watchedBy(pid, epoll).filter(isConnection).length).sort((a, b) => b - a);
}

/** What each open descriptor refers to. */
function readDescriptors(pid: number): ReadonlyMap<number, string> {
  const targets = new Map<number, string>();
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    try {
      targets.set(Number(fd), readlinkSync(`/proc/${pid}/fd/${fd}`));
    } catch {
      // closed in the meantime
    }
  }
  return targets;
}

function watchedBy(pid: number, epoll: number): readonly number[] {
  const info = readFileSync(`/proc/${pid}/fdinfo/${epoll}`, "utf8");
  return [...info.matchAll(/^tfd:\s+(\d+)/gm)].map(([, fd]) => Number(fd));
}

const ESTABLISHED = "01";

/** The established connections to a local port, in the form of a descriptor's target: "socket:[INODE]". */
function establishedInodes(pid: number, port: number): ReadonlySet<string> {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const rows = readFileSync(`/proc/${pid}/net/tcp`, "utf8").trim().split("\n").slice(1);
  const fields = rows.map((row) => row.trim().split(/\s+/));
  const own = fields.filter(([, local, , state]) => local!.endsWith(suffix) && state === ESTABLISHED);
  return new Set(own.map(({ 9: inode }) => `socket:[${inode}]`));
}

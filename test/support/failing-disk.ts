import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { ofThisFile } from "./children.ts";
import { nextEvent } from "./next-event.ts";
import type { ServerProcess } from "./server-process.ts";

/** The system call to fail with an I/O error, and the file. */
export interface Fault {
  readonly call: keyof typeof CALLS;
  readonly file: string;
  /** Where strace writes all later sync and write calls on `file`; none by default. */
  readonly trace?: string;
}

/** The system calls of each kind. Which of them SQLite makes depends on how it was built. */
const CALLS = { sync: "fsync,fdatasync", write: "pwrite64" } as const;

/** Why faults can't be injected here; undefined if they can. */
export function whyNoFaults(): string | undefined {
  // Some containers do not allow strace to attach to a process that is not its child.
  const script =
    'sleep 600 & strace -o /dev/null -p $! 2>&1 | { grep -q "Process .* attached"; found=$?; kill $!; exit $found; }';
  const { status } = spawnSync("sh", ["-c", script]);
  return status === 0 ? undefined : "needs strace, and the right to trace a process";
}

/**
 * Makes the next system call of the kind `call` on the file fail with EIO, and only that one: a server that continues
 * finds a disk that works again. Resolves when strace has attached to the server's process. strace ends with that
 * process.
 */
export async function failNext(
  server: Pick<ServerProcess, "pid">,
  { call, file, trace = "/dev/null" }: Fault,
): Promise<void> {
  const inject = ["-e", `trace=${Object.values(CALLS).join(",")}`, "-e", `inject=${CALLS[call]}:error=EIO:when=1`];
  await attached(server, ["-P", file, ...inject, "-o", trace]);
}

/** An strace that is attached to a process. */
async function attached(server: Pick<ServerProcess, "pid">, flags: readonly string[]): Promise<ChildProcess> {
  const tracer = ofThisFile(
    spawn("strace", ["-f", "-p", String(server.pid), ...flags], { stdio: ["ignore", "ignore", "pipe"] }),
  );
  const said: string[] = [];
  await new Promise<void>((resolve, reject) => {
    // strace's output is read to the end: if strace can't write its messages, it ends and detaches.
    createInterface({ input: tracer.stderr }).on("line", (line) => {
      said.push(line);
      if (/^strace: Process \d+ attached/.test(line)) resolve();
    });
    tracer.once("close", () => reject(new Error(`strace did not attach: ${said.join("; ")}`)));
  });
  return tracer;
}

/**
 * Makes all system calls of the kind `call` on the file fail with EDQUOT, as with an exhausted quota. Resolves when
 * strace has attached to the server's process, to a function that detaches it.
 */
export async function useUpQuota(
  server: Pick<ServerProcess, "pid">,
  { call, file }: Omit<Fault, "trace">,
): Promise<() => Promise<void>> {
  const inject = ["-e", `trace=${CALLS[call]}`, "-e", `inject=${CALLS[call]}:error=EDQUOT`];
  const tracer = await attached(server, ["-P", file, ...inject, "-o", "/dev/null"]);
  return async () => {
    tracer.kill("SIGINT");
    if (tracer.exitCode === null && tracer.signalCode === null) await once(tracer, "exit");
  };
}

/** Why a small disk can't be mounted here; undefined if it can. */
export function whyNoSmallDisk(): string | undefined {
  const script = "mount -t tmpfs tmpfs /tmp && command -v nsenter";
  const { status } = spawnSync("unshare", ["-m", "sh", "-c", script]);
  return status === 0 ? undefined : "needs root, and the right to mount in a private namespace";
}

/**
 * A file system of a few megabytes that only programs started with {@link prefix} see. It exists as long as the process
 * in whose mount namespace it is mounted.
 */
export class SmallDisk {
  /** The command line in front of a program that is to see the file system. */
  readonly prefix: readonly string[];
  readonly #holder: ChildProcess;
  readonly #folder: string;

  private constructor(holder: ChildProcess, folder: string) {
    this.#holder = holder;
    this.#folder = folder;
    this.prefix = ["nsenter", "--target", String(holder.pid), "--mount", "--"];
  }

  static async mount(folder: string, size: string): Promise<SmallDisk> {
    mkdirSync(folder);
    const script = 'mount -t tmpfs -o "size=$1" tmpfs "$0" && echo mounted && exec cat';
    const words = ["-m", "sh", "-c", script, folder, size];
    const holder = ofThisFile(spawn("unshare", words, { stdio: ["pipe", "pipe", "inherit"] }));
    await nextEvent(holder.stdout!, "data");
    return new SmallDisk(holder, folder);
  }

  /** Fills the file system completely. */
  fill(): void {
    const file = openSync(this.#filler, "w");
    try {
      const page = Buffer.alloc(4096, 1);
      while (writeSync(file, page) > 0);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
    } finally {
      closeSync(file);
    }
  }

  /** Frees the space that {@link fill} took. */
  empty(): void {
    rmSync(this.#filler);
  }

  /** Makes a folder on the file system read-only for all users. Open files are not affected. */
  makeReadOnly(folder: string): void {
    const script = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0"';
    const [program, ...rest] = [...this.prefix, "sh", "-c", script, folder];
    const { status, stderr } = spawnSync(program!, rest, { encoding: "utf8" });
    if (status !== 0) throw new Error(`${folder} could not be made read-only: ${stderr}`);
  }

  async unmount(): Promise<void> {
    this.#holder.kill("SIGKILL");
    if (this.#holder.exitCode === null && this.#holder.signalCode === null) await once(this.#holder, "exit");
  }

  get #filler(): string {
    return join(`/proc/${this.#holder.pid}/root`, this.#folder, "filler");
  }
}

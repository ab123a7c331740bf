import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { buffer, text } from "node:stream/consumers";
import type { Ran } from "./cli-kit.ts";

/** The user and environment of a program. From the environment of this process it gets only the PATH. */
export interface RunAs {
  /** The user, and the group of the same number; by default those of this process. */
  readonly uid?: number;
  readonly env?: Readonly<Record<string, string>>;
}

// A signal ends a process without its "exit" event, so programs would survive it.
const ENDINGS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
const leave = () => process.exit(1);

/** The programs that a test has started. They are killed when the test ends, however it ends. */
export class Processes {
  readonly #running = new Map<ChildProcess, Promise<unknown>>();
  readonly #kill = () => {
    for (const child of this.#running.keys()) child.kill("SIGKILL");
  };

  constructor() {
    process.once("exit", this.#kill);
    for (const signal of ENDINGS) process.once(signal, leave);
  }

  /** Starts a program that keeps running. The caller reads its output. */
  start(program: string, arguments_: readonly string[], { uid, env }: RunAs = {}): ChildProcess {
    const child = spawn(program, arguments_, {
      // A folder that every user may enter.
      cwd: "/",
      env: { PATH: process.env["PATH"], ...env },
      stdio: ["ignore", "pipe", "pipe"],
      ...(uid === undefined ? {} : { uid, gid: uid }),
    });
    this.#running.set(
      child,
      once(child, "close").finally(() => this.#running.delete(child)),
    );
    return child;
  }

  /** Runs a program until it ends. */
  async run(program: string, arguments_: readonly string[], as: RunAs = {}): Promise<Ran> {
    const child = this.start(program, arguments_, as);
    const [stdout, stderr] = await Promise.all([buffer(child.stdout!), text(child.stderr!), once(child, "close")]);
    return { code: child.exitCode, stdout, stderr };
  }

  /** Kills the programs that still run, and waits until they have ended. */
  async end(): Promise<void> {
    process.off("exit", this.#kill);
    for (const signal of ENDINGS) process.off(signal, leave);
    this.#kill();
    await Promise.all(this.#running.values());
  }
}

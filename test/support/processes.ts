import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { buffer, text } from "node:stream/consumers";
import type { Ran } from "./cli-kit.ts";

/** What a program runs with. Of our own environment it gets the PATH. */
export interface RunAs {
  /** The user, and the group of the same number; ourselves by default. */
  readonly uid?: number;
  readonly env?: Readonly<Record<string, string>>;
}

// A signal ends a process without its "exit" event, and would leave programs behind.
const ENDINGS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
const leave = () => process.exit(1);

/** The programs that a test has started. They are gone when it has ended, however it ends. */
export class Processes {
  readonly #running = new Map<ChildProcess, Promise<unknown>>();
  readonly #kill = () => {
    for (const child of this.#running.keys()) child.kill("SIGKILL");
  };

  constructor() {
    process.once("exit", this.#kill);
    for (const signal of ENDINGS) process.once(signal, leave);
  }

  /** Starts a program that goes on; what it prints is for the caller to read. */
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

  /** Runs a program to its end. */
  async run(program: string, arguments_: readonly string[], as: RunAs = {}): Promise<Ran> {
    const child = this.start(program, arguments_, as);
    const [stdout, stderr] = await Promise.all([buffer(child.stdout!), text(child.stderr!), once(child, "close")]);
    return { code: child.exitCode, stdout, stderr };
  }

  /** Kills what is left, and waits until it is gone. */
  async end(): Promise<void> {
    process.off("exit", this.#kill);
    for (const signal of ENDINGS) process.off(signal, leave);
    this.#kill();
    await Promise.all(this.#running.values());
  }
}

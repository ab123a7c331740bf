import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, openSync, readFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** How long a server may take to start or to stop, in milliseconds. */
const TIMEOUT_MS = 120_000;

const POLL_MS = 10;

/** The programs that end with the benchmark, before the run folder with their files is removed. */
const running = new Set<ChildProcess>();
process.prependOnceListener("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** A program that the benchmark started. Its output goes to a file and is shown only if the program fails. */
export class Child {
  readonly name: string;
  readonly pid: number;
  readonly #process: ChildProcess;
  readonly #log: string;

  /** Starts `command`. `log` is the file for its output. The program ends no later than the benchmark. */
  constructor(name: string, command: readonly string[], log: string) {
    const output = openSync(log, "a");
    const [program, ...rest] = command;
    this.name = name;
    this.#log = log;
    this.#process = spawn(program!, rest, { stdio: ["ignore", output, output] });
    this.#process.once("error", ({ message }) => appendFileSync(log, message)); // such as ENOENT
    this.pid = this.#process.pid ?? 0;
    running.add(this.#process);
    this.#process.once("exit", () => running.delete(this.#process));
  }

  get #running(): boolean {
    return this.pid !== 0 && this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /**
   * Waits until `ready` returns true. If the program ends before that, or two minutes pass, throws an error with the
   * last lines of the program's output.
   */
  async waitUntil(ready: () => Promise<boolean>): Promise<void> {
    const deadline = Date.now() + TIMEOUT_MS;
    while (!(await ready())) {
      if (!this.#running) throw new Error(`${this.name} ended early. Its last lines:\n${this.#lastLines()}`);
      if (Date.now() > deadline)
        throw new Error(`${this.name} is not ready after ${TIMEOUT_MS} ms. Its last lines:\n${this.#lastLines()}`);
      await sleep(POLL_MS);
    }
  }

  /** Sends SIGTERM and waits until the program has ended; kills it after two minutes. */
  async stop(): Promise<void> {
    if (!this.#running) return;
    const timeout = setTimeout(() => this.#process.kill("SIGKILL"), TIMEOUT_MS);
    this.#process.kill("SIGTERM");
    await once(this.#process, "exit");
    clearTimeout(timeout);
  }

  #lastLines(): string {
    return readFileSync(this.#log, "utf8").split("\n").slice(-20).join("\n");
  }
}

/** Returns a port of 127.0.0.1 that is currently free. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

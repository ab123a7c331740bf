import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, openSync, readFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** How long a server may take to start or to stop, in milliseconds. */
const PATIENCE_MS = 120_000;

const POLL_MS = 10;

/** A program that the bench started. Its output goes to a file and is shown only when it fails. */
export class Child {
  readonly name: string;
  readonly pid: number;
  readonly #process: ChildProcess;
  readonly #log: string;

  /** Starts `command`. `log` is the file for what it prints. It never outlives the bench. */
  constructor(name: string, command: readonly string[], log: string) {
    const output = openSync(log, "a");
    const [program, ...rest] = command;
    this.name = name;
    this.#log = log;
    this.#process = spawn(program!, rest, { stdio: ["ignore", output, output] });
    this.#process.once("error", ({ message }) => appendFileSync(log, message)); // such as a program that is not there
    this.pid = this.#process.pid ?? 0;
    const kill = () => this.#process.kill("SIGKILL");
    process.prependOnceListener("exit", kill); // before the workshop with its files is cleared away
    this.#process.once("exit", () => process.off("exit", kill));
  }

  get #running(): boolean {
    return this.pid !== 0 && this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** Waits until `ready` says so; throws with the last lines of the program's output when it ends before. */
  async waitUntil(ready: () => Promise<boolean>): Promise<void> {
    const deadline = Date.now() + PATIENCE_MS;
    while (!(await ready())) {
      if (!this.#running) throw new Error(`${this.name} ended early. Its last lines:\n${this.#lastLines()}`);
      if (Date.now() > deadline) throw new Error(`${this.name} is not ready. Its last lines:\n${this.#lastLines()}`);
      await sleep(POLL_MS);
    }
  }

  /** Asks the program to end and waits until it has. */
  async stop(): Promise<void> {
    if (!this.#running) return;
    const impatience = setTimeout(() => this.#process.kill("SIGKILL"), PATIENCE_MS);
    this.#process.kill("SIGTERM");
    await once(this.#process, "exit");
    clearTimeout(impatience);
  }

  #lastLines(): string {
    return readFileSync(this.#log, "utf8").split("\n").slice(-20).join("\n");
  }
}

/** A port of 127.0.0.1 that nobody listens on just now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

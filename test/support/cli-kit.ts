import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { buffer, text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

/** The compiled program that these tests belong to. */
export const PROGRAM = fileURLToPath(new URL("../../src/main.js", import.meta.url));

/** What a command was run with. */
export interface RunOptions {
  /** The COFFER_* variables; none of the surrounding ones are passed on. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly input?: string | Buffer;
}

/** What a command came to. */
export interface Ran {
  readonly code: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** Runs `coffer` to its end. */
export function coffer(arguments_: readonly string[], options: RunOptions = {}): Promise<Ran> {
  return runToEnd(process.execPath, [PROGRAM, ...arguments_], options);
}

/** Runs a program to its end. */
export async function runToEnd(program: string, arguments_: readonly string[], options: RunOptions): Promise<Ran> {
  const child = spawn(program, arguments_, { cwd: options.cwd, env: environment(options) });
  child.stdin.on("error", () => {});
  child.stdin.end(options.input ?? "");
  const [stdout, stderr] = await Promise.all([buffer(child.stdout), text(child.stderr), once(child, "close")]);
  return { code: child.exitCode, stdout, stderr };
}

function environment({ env }: RunOptions): NodeJS.ProcessEnv {
  return { PATH: process.env["PATH"], HOME: process.env["HOME"], ...env };
}

/** One line of a server's log. */
export type LogLine = Readonly<Record<string, unknown>> & { readonly event?: string };

/** A `coffer serve` or `coffer dev` in a process of its own. */
export class ServerProcess {
  readonly lines: LogLine[] = [];
  readonly exited: Promise<number | string>;
  readonly stdout: Promise<string>;
  readonly #child: ChildProcess;
  #arrived = () => {};

  constructor(arguments_: readonly string[], options: RunOptions = {}) {
    const child = spawn(process.execPath, [PROGRAM, ...arguments_], {
      cwd: options.cwd,
      env: environment(options),
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child = child;
    this.exited = once(child, "close").then(([code, signal]) => code ?? signal);
    this.stdout = text(child.stdout);
    createInterface(child.stderr).on("line", (line) => {
      this.lines.push(line.startsWith("{") ? JSON.parse(line) : { event: line });
      this.#arrived();
    });
    void this.exited.then(() => this.#arrived());
  }

  /** The first line of the log with this event. Rejects when the process ends without one. */
  async logged(event: string): Promise<LogLine> {
    for (;;) {
      const line = this.lines.find((candidate) => candidate.event === event);
      if (line !== undefined) return line;
      if (this.#child.exitCode !== null) throw new Error(`the server ended: ${JSON.stringify(this.lines)}`);
      await new Promise<void>((resolve) => {
        this.#arrived = resolve;
      });
    }
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }
}

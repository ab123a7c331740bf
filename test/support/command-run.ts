import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { ofThisFile } from "./children.ts";
import { PROGRAM } from "./cli-kit.ts";

/** A command that reports the signals it receives; see reported-signals.ts. */
export const REPORTED_SIGNALS = [
  process.execPath,
  fileURLToPath(new URL("./reported-signals.js", import.meta.url)),
] as const;

/** How to run a command. */
export interface CommandRunOptions {
  readonly env: Readonly<Record<string, string>>;
  /** A program, with arguments, that execs or starts the command line of `coffer`. */
  readonly prefix?: readonly string[];
  /** The command of `coffer`; by default "run". */
  readonly command?: "run" | "watch";
}

/** A running `coffer run` or `coffer watch`. */
export class CommandRun {
  readonly process: ChildProcess;
  /** Resolves when it has ended and its complete output was read. */
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  stdout = "";
  stderr = "";
  #isOver = false;

  /** `line`: the arguments of the command. */
  constructor(line: readonly string[], { env, prefix = [], command = "run" }: CommandRunOptions) {
    const [program, ...arguments_] = [...prefix, process.execPath, PROGRAM, command, ...line];
    this.process = ofThisFile(spawn(program!, arguments_, { env: { PATH: process.env["PATH"], ...env } }));
    this.process.stdin!.on("error", () => {});
    this.process.stdout!.setEncoding("utf8").on("data", (text) => (this.stdout += text));
    this.process.stderr!.setEncoding("utf8").on("data", (text) => (this.stderr += text));
    this.ended = once(this.process, "close").then(([code, signal]) => {
      this.#isOver = true;
      return { code, signal };
    });
  }

  /** Resolves to the match when standard output matches. Rejects if it ends without a match. */
  printed(pattern: RegExp): Promise<RegExpExecArray> {
    return this.#matched("stdout", pattern);
  }

  /** As `printed`, for standard error. */
  wrote(pattern: RegExp): Promise<RegExpExecArray> {
    return this.#matched("stderr", pattern);
  }

  /** The process IDs of the command of REPORTED_SIGNALS and of the `coffer run` above it. */
  async running(): Promise<{ readonly command: number; readonly coffer: number }> {
    const [, command, coffer] = await this.printed(/running (\d+) (\d+)/);
    return { command: Number(command), coffer: Number(coffer) };
  }

  /** How many times the command of REPORTED_SIGNALS has printed this line so far. */
  count(signal: string): number {
    return this.stdout.split(/\r?\n/).filter((line) => line === signal).length;
  }

  async #matched(stream: "stdout" | "stderr", pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this[stream]);
      if (match !== null) return match;
      if (this.#isOver) throw new Error(`coffer ended without ${pattern}:\n${this.stdout}\n${this.stderr}`);
      await Promise.race([once(this.process[stream]!, "data"), this.ended]);
    }
  }

  /** Kills `coffer`. The clean-up of a test calls this, because a test that fails does not end the command. */
  kill(): void {
    this.process.kill("SIGKILL");
  }
}

import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable } from "node:stream";
import { buffer, text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { ofThisFile } from "./children.ts";
import { ServerProcess } from "./server-process.ts";

/** The compiled program under test. */
export const PROGRAM = fileURLToPath(new URL("../../src/main.js", import.meta.url));

/** The environment and input of a command. */
export interface RunOptions {
  /** The COFFER_* variables. Those of the surrounding environment are not passed on. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly input?: string | Buffer;
  /** Returns what to type after the output so far; undefined: nothing yet. Used instead of `input`. */
  readonly answer?: (shown: string) => string | undefined;
}

/** The result of a command. */
export interface Ran {
  readonly code: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** Runs `coffer` until it ends. */
export function coffer(arguments_: readonly string[], options: RunOptions = {}): Promise<Ran> {
  return runToEnd(process.execPath, [PROGRAM, ...arguments_], options);
}

/** Runs a program until it ends. */
export async function runToEnd(program: string, arguments_: readonly string[], options: RunOptions): Promise<Ran> {
  const child = ofThisFile(spawn(program, arguments_, { cwd: options.cwd, env: environment(options) }));
  child.stdin.on("error", () => {});
  if (options.answer === undefined) child.stdin.end(options.input ?? "");
  else answerOn(child, options.answer);
  const [stdout, stderr] = await Promise.all([buffer(child.stdout), text(child.stderr), once(child, "close")]);
  return { code: child.exitCode, stdout, stderr };
}

/** Answers each prompt once: output from before the last answer is not considered again. */
function answerOn(child: ChildProcessWithoutNullStreams, answer: (shown: string) => string | undefined): void {
  let shown = "";
  child.stdout.on("data", (chunk: Buffer) => {
    shown += chunk;
    const typed = answer(shown);
    if (typed === undefined) return;
    shown = "";
    child.stdin.write(typed);
  });
}

function environment({ env }: RunOptions): NodeJS.ProcessEnv {
  return { PATH: process.env["PATH"], HOME: process.env["HOME"], ...env };
}

/** A running `coffer serve` or `coffer dev`. */
export interface Serving {
  readonly server: ServerProcess;
  /** Resolves to the standard output so far, as soon as it matches. */
  readonly printed: (pattern: RegExp) => Promise<string>;
}

/** Starts `coffer serve` or `coffer dev` in a separate process. */
export function serving(arguments_: readonly string[], options: RunOptions = {}): Serving {
  const child = ofThisFile(
    spawn(process.execPath, [PROGRAM, ...arguments_], {
      cwd: options.cwd,
      env: environment(options),
      stdio: ["ignore", "pipe", "pipe"],
    }),
  );
  return { server: new ServerProcess(child), printed: (pattern) => readUntil(child.stdout, pattern) };
}

async function readUntil(stream: Readable, pattern: RegExp): Promise<string> {
  let read = "";
  for await (const chunk of stream) {
    read += chunk;
    if (pattern.test(read)) return read;
  }
  throw new Error(`the output ended without ${pattern}:\n${read}`);
}

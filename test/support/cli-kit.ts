import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable } from "node:stream";
import { buffer, text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { ofThisFile } from "./children.ts";
import { ServerProcess } from "./server-process.ts";

/** The compiled program that these tests belong to. */
export const PROGRAM = fileURLToPath(new URL("../../src/main.js", import.meta.url));

/** What a command was run with. */
export interface RunOptions {
  /** The COFFER_* variables; none of the surrounding ones are passed on. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly input?: string | Buffer;
  /** What is typed in answer to what standard output has so far; undefined: nothing yet. Instead of `input`. */
  readonly answer?: (shown: string) => string | undefined;
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
  const child = ofThisFile(spawn(program, arguments_, { cwd: options.cwd, env: environment(options) }));
  child.stdin.on("error", () => {});
  if (options.answer === undefined) child.stdin.end(options.input ?? "");
  else answerOn(child, options.answer);
  const [stdout, stderr] = await Promise.all([buffer(child.stdout), text(child.stderr), once(child, "close")]);
  return { code: child.exitCode, stdout, stderr };
}

/** Each answer once: what was shown before the last one is not looked at again. */
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

/** A `coffer serve` or `coffer dev`, running. */
export interface Serving {
  readonly server: ServerProcess;
  /** Resolves to what was printed to standard output, once it matches. */
  readonly printed: (pattern: RegExp) => Promise<string>;
}

/** Starts `coffer serve` or `coffer dev` as a process of its own. */
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

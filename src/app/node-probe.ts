import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Environment } from "../config/option.ts";
import { type NodeAtHand, type ProbeRecord, cryptoOptions, probeRecord } from "./probe-record.ts";
import { StartRefused } from "../domain/start-refused.ts";

/** What is known of this Node: whether a certificate can end a process that it runs. */
export type ProbeResult =
  /** No certificate that was shown to it does. `remembered`: by an earlier start, with the same binary and program. */
  | { readonly kind: "passed"; readonly remembered: boolean }
  /** No process could be started to find out. */
  | { readonly kind: "not-run"; readonly why: string };

/** How to run the probe. */
export interface ProbeCommand {
  readonly program: string;
  readonly words: readonly string[];
  readonly env: Environment;
}

/** How a process ended. */
type Ended =
  | { readonly kind: "not-started"; readonly why: string }
  | { readonly kind: "ended"; readonly how: string; readonly output: string };

/**
 * Milliseconds. An idle machine takes about one second; a certificate that Node hangs at would hang the server, too.
 */
const PROBE_MS = 120_000;

/** The last of what the probe wrote that is kept, in characters. */
const KEPT_OUTPUT = 4096;

const PROGRAM = fileURLToPath(new URL("./probe-program.js", import.meta.url));

/**
 * Finds out whether this Node survives the certificates that an unauthenticated client can send. Some releases end the
 * process while they make JavaScript objects of them, which no code can catch; so a child process reads them first. It
 * runs once for each Node binary and each build of the program ({@link probeRecord}). An abort of `signal` ends it.
 * Throws StartRefused when the child died.
 */
export async function probeNode(node: NodeAtHand, signal: AbortSignal): Promise<ProbeResult> {
  const record = probeRecord(node);
  if (record.has()) return { kind: "passed", remembered: true };
  return runProbe(probeCommand(node), record, signal);
}

/** By the same binary, with the options that concern its OpenSSL. */
export function probeCommand(node: NodeAtHand): ProbeCommand {
  const { NODE_OPTIONS: _, ...env } = node.env;
  return { program: process.execPath, words: [...cryptoOptions(node), PROGRAM], env };
}

/** Runs a probe, and records that it has passed. Throws StartRefused when it did not. */
export async function runProbe(command: ProbeCommand, record: ProbeRecord, signal: AbortSignal): Promise<ProbeResult> {
  const ended = await run(command, signal);
  if (ended.kind === "not-started") return { kind: "not-run", why: ended.why };
  const lines = ended.output.trimEnd().split("\n");
  if (ended.how !== "exit code 0" || lines.at(-1) !== "passed") throw notSafe(ended.how, lines);
  record.add();
  return { kind: "passed", remembered: false };
}

function notSafe(how: string, lines: readonly string[]): StartRefused {
  const shown = lines.findLast((line) => line.startsWith("showing "))?.slice("showing ".length);
  const last = shown === undefined ? (lines.at(-1) ?? "") : `certificates with the keys ${shown}`;
  const what = `Node ${process.version} (${process.execPath}) did not survive the probe of the start: ${how}`;
  return new StartRefused([
    `${what}, at ${last || "its beginning"}; unauthenticated clients could end the server; use another release of Node`,
  ]);
}

function run({ program, words, env }: ProbeCommand, signal: AbortSignal): Promise<Ended> {
  // Not by spawn's own timeout, which stays behind and holds the process where no child could be started.
  const ending = AbortSignal.any([signal, AbortSignal.timeout(PROBE_MS)]);
  // In a separate process group: only the server receives Ctrl-C and the hangup of a terminal, and it ends the probe.
  const limits = { signal: ending, killSignal: "SIGKILL", detached: true } as const;
  try {
    return endOf(spawn(program, words, { env, stdio: ["ignore", "pipe", "pipe"], ...limits }));
  } catch (error) {
    // Node emits only some errors of spawn, and throws the others: EPERM for example, with which sandboxes refuse.
    return Promise.resolve({ kind: "not-started", why: (error as Error).message });
  }
}

function endOf(child: ChildProcess): Promise<Ended> {
  return new Promise((resolve) => {
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      // Absent when the process has no file descriptor left, which is then reported as an error.
      stream?.setEncoding("utf8").on("data", (text: string) => {
        output = `${output}${text}`.slice(-KEPT_OUTPUT);
      });
    }
    child.on("error", (error) => {
      // It is also how an abort is reported, and then the child ends.
      if (child.pid === undefined) resolve({ kind: "not-started", why: error.message });
    });
    child.once("close", (code, signal) => {
      resolve({ kind: "ended", how: signal === null ? `exit code ${code}` : signal, output });
    });
  });
}

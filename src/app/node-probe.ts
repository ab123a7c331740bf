import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Environment } from "../config/option.ts";
import { type NodeInvocation, type ProbeRecord, cryptoOptions, probeRecord } from "./probe-record.ts";
import { StartRefused } from "../domain/start-refused.ts";

/** The result of the probe: whether certificates can crash a process of this Node binary. */
export type ProbeResult =
  /**
   * No certificate of the probe crashed it. `remembered`: an earlier start with the same binary and build ran the
   * probe.
   */
  | { readonly kind: "passed"; readonly remembered: boolean }
  /** The probe process could not be started. */
  | { readonly kind: "not-run"; readonly why: string };

/** The command line and environment of a probe process. */
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
 * The longest time for the probe, in milliseconds. It takes about one second on an idle machine. A certificate that
 * hangs the probe would hang the server too.
 */
const PROBE_MS = 120_000;

/** The number of characters that are kept from the end of the probe's output. */
const KEPT_OUTPUT = 4096;

const PROGRAM = fileURLToPath(new URL("./probe-program.js", import.meta.url));

/**
 * Checks whether this Node survives the certificates that an unauthenticated client can send. Some releases crash while
 * they convert certificates to JavaScript objects, and no code can catch that. Therefore a child process reads such
 * certificates first, once for each Node binary and build of the program ({@link probeRecord}). Aborting `signal` ends
 * the child. Throws StartRefused if the child crashed, failed or did not end in time.
 */
export async function probeNode(node: NodeInvocation, signal: AbortSignal): Promise<ProbeResult> {
  const record = probeRecord(node);
  if (record.has()) return { kind: "passed", remembered: true };
  return runProbe(probeCommand(node), record, signal);
}

/** The command that runs the probe, with the binary of this process and its options that change OpenSSL. */
export function probeCommand(node: NodeInvocation): ProbeCommand {
  const { NODE_OPTIONS: _, ...env } = node.env;
  return { program: process.execPath, words: [...cryptoOptions(node), PROGRAM], env };
}

/** Runs a probe, and records that it passed. Throws StartRefused if it failed. */
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
  const what = `Node ${process.version} (${process.execPath}) did not survive the start-up probe: ${how}`;
  return new StartRefused([
    `${what}, at ${last || "its beginning"}; unauthenticated clients could end the server; use another release of Node`,
  ]);
}

function run({ program, words, env }: ProbeCommand, signal: AbortSignal): Promise<Ended> {
  // Not spawn's own timeout: if no child could be started, its timer would keep the process running.
  const ending = AbortSignal.any([signal, AbortSignal.timeout(PROBE_MS)]);
  // The child runs in a separate process group, so that Ctrl-C and the hangup of a terminal reach only the server,
  // which then ends the child.
  const limits = { signal: ending, killSignal: "SIGKILL", detached: true } as const;
  try {
    return endOf(spawn(program, words, { env, stdio: ["ignore", "pipe", "pipe"], ...limits }));
  } catch (error) {
    // Node emits only some errors of spawn and throws the others, for example the EPERM of a sandbox.
    return Promise.resolve({ kind: "not-started", why: (error as Error).message });
  }
}

function endOf(child: ChildProcess): Promise<Ended> {
  return new Promise((resolve) => {
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      // Undefined if the process has no file descriptor left. An error event then follows.
      stream?.setEncoding("utf8").on("data", (text: string) => {
        output = `${output}${text}`.slice(-KEPT_OUTPUT);
      });
    }
    child.on("error", (error) => {
      // An abort also emits an error. The child then ends, and `close` follows.
      if (child.pid === undefined) resolve({ kind: "not-started", why: error.message });
    });
    child.once("close", (code, signal) => {
      resolve({ kind: "ended", how: signal === null ? `exit code ${code}` : signal, output });
    });
  });
}

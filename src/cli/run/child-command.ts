import { type ChildProcess, spawn } from "node:child_process";
import { spawnProblem } from "../../domain/spawn-problem.ts";
import { ExitStatus } from "../exit-status.ts";
import { type SignalRelay, endedBy } from "./signal-relay.ts";

// The statuses that shells use for a command that is not found, and for one that can't be run (POSIX.1, XCU 2.8.2).
const NOT_FOUND = 127;
const NOT_RUN = 126;

/** A program, its arguments and its environment. */
export interface ChildCommand {
  /** Its name or path. No shell interprets it. */
  readonly program: string;
  readonly arguments: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** What it reads from standard input; undefined for the standard input of this process. */
  readonly input?: string | undefined;
}

/** A command that was started. It writes to the standard output and the standard error of this process. */
export class RunningCommand {
  /** Resolves when the command runs. Rejects with ExitStatus when it can't be run. */
  readonly started: Promise<void>;
  /** Resolves to its exit code, or to 128 plus the number of the signal that ended it. Rejects as `started`. */
  readonly ended: Promise<ExitStatus>;
  readonly #child: ChildProcess;

  /** Throws ExitStatus when the command can't be run, unless `started` reports it. */
  constructor({ program, arguments: arguments_, env, input }: ChildCommand) {
    const stdin = input === undefined ? "inherit" : "pipe";
    const child = start(program, () => spawn(program, arguments_, { env, stdio: [stdin, "inherit", "inherit"] }));
    // A command that does not read its input closes the pipe.
    child.stdin?.on("error", () => {}).end(input);
    this.#child = child;
    const failed = new Promise<never>((_, reject) => {
      // Without a pid the command did not start. Later errors concern signals that may not be sent to another user's
      // process.
      child.on("error", (error) => child.pid === undefined && reject(notRun(program, error)));
    });
    const spawned = new Promise<void>((resolve) => child.once("spawn", resolve));
    // Node passes either a code or a signal.
    const exited = new Promise<ExitStatus>((resolve) => {
      child.once("exit", (code, signal) => resolve(signal === null ? new ExitStatus(code ?? 0) : endedBy(signal)));
    });
    this.started = Promise.race([spawned, failed]);
    this.ended = Promise.race([exited, failed]);
    // A caller may await only one of them.
    for (const outcome of [this.started, this.ended]) outcome.catch(() => {});
  }

  /** Sends a signal. Does nothing if the command has ended. */
  send(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }
}

/** Runs a command, and forwards signals to it. Resolves and rejects as `ended` of {@link RunningCommand}. */
export async function runCommand(command: ChildCommand, relay: SignalRelay): Promise<ExitStatus> {
  const running = new RunningCommand(command);
  relay.passTo((signal) => running.send(signal));
  return running.ended;
}

/** spawn() throws some errors of the operating system and emits others as an event. This handles the first kind. */
function start(program: string, begin: () => ChildProcess): ChildProcess {
  try {
    return begin();
  } catch (error) {
    throw notRun(program, error as Error);
  }
}

function notRun(program: string, error: NodeJS.ErrnoException): ExitStatus {
  const status = error.code === "ENOENT" ? NOT_FOUND : NOT_RUN;
  return new ExitStatus(status, spawnProblem(program, error), { cause: error });
}

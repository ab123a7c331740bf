import { type ChildProcess, spawn } from "node:child_process";
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
}

/**
 * Runs a command with the standard streams of this process, and forwards signals to it. Resolves to its exit code, or
 * to 128 plus the number of the signal that ended it. Rejects with ExitStatus when the command can't be run.
 */
export async function runCommand(command: ChildCommand, relay: SignalRelay): Promise<ExitStatus> {
  const { program, env } = command;
  const child = start(program, () => spawn(program, command.arguments, { env, stdio: "inherit" }));
  relay.passTo((signal) => child.kill(signal));
  return new Promise((resolve, reject) => {
    // Node passes either a code or a signal.
    child.once("exit", (code, signal) => resolve(signal === null ? new ExitStatus(code ?? 0) : endedBy(signal)));
    child.on("error", (error) => {
      // Without a pid the command did not start. Later errors concern signals that may not be sent to another user's
      // process.
      if (child.pid === undefined) reject(notRun(program, error));
    });
  });
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
  return new ExitStatus(status, `can't run ${program}: ${reasonOf(error)}`, { cause: error });
}

function reasonOf({ code }: NodeJS.ErrnoException): string {
  if (code === "ENOENT") return "program not found";
  if (code === "EACCES") return "this user may not execute it";
  if (code === "E2BIG") return "its variables and arguments exceed the limit of the operating system";
  return code ?? "unknown error";
}

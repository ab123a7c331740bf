import { type ChildProcess, spawn } from "node:child_process";
import { ExitStatus } from "../exit-status.ts";
import { type SignalRelay, endedBy } from "./signal-relay.ts";

// The statuses of shells for a command that is not there, and for one that is and can't be run (POSIX.1, XCU 2.8.2).
const NOT_FOUND = 127;
const NOT_RUN = 126;

/** A program and what it is run with. */
export interface ChildCommand {
  /** Its name or path. It never passes through a shell. */
  readonly program: string;
  readonly arguments: readonly string[];
  readonly env: NodeJS.ProcessEnv;
}

/**
 * Runs a command with our own standard streams, and passes signals on to it. Resolves to how it ended: its exit code, or
 * 128 and the number of the signal that ended it. Rejects with ExitStatus when it can't be run.
 */
export async function runCommand(command: ChildCommand, relay: SignalRelay): Promise<ExitStatus> {
  const { program, env } = command;
  const child = start(program, () => spawn(program, command.arguments, { env, stdio: "inherit" }));
  relay.passTo((signal) => child.kill(signal));
  return new Promise((resolve, reject) => {
    // Node gives one of the two.
    child.once("exit", (code, signal) => resolve(signal === null ? new ExitStatus(code ?? 0) : endedBy(signal)));
    child.on("error", (error) => {
      // Later errors are those of signals that the command, as another user, may not be sent.
      if (child.pid === undefined) reject(notRun(program, error));
    });
  });
}

/** Some errors of the operating system are thrown, others are told by an event. */
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
  if (code === "ENOENT") return "there is no such program";
  if (code === "EACCES") return "it is not executable for this user";
  if (code === "E2BIG") return "the variables and arguments are larger than the system takes";
  return code ?? "it failed";
}

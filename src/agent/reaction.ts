import { type ChildProcess, spawn } from "node:child_process";
import { spawnProblem } from "../domain/spawn-problem.ts";
import type { Timers } from "../domain/timers.ts";
import type { Reaction } from "./agent-config.ts";
import { type Processes, receiversOf } from "./receivers.ts";

/** The result of a command or a signal. `why` contains no value. */
export type ReactionResult =
  | { readonly kind: "done" }
  /** There is no process to signal yet. It will read the current files when it starts. */
  | { readonly kind: "absent"; readonly why: string }
  | { readonly kind: "failed"; readonly why: string };

/** Runs the action of a target, and resolves when it is over. */
export type RunReaction = (action: Reaction) => Promise<ReactionResult>;

/** Runs actions on this machine. */
export function reactionsOn(processes: Processes, timers: Pick<Timers, "delay">): RunReaction {
  return async (action) => (action.kind === "command" ? runProgram(action, timers) : sendSignal(action, processes));
}

type CommandAction = Extract<Reaction, { readonly kind: "command" }>;

/**
 * Runs a program without a shell. Its arguments are those of the configuration, so that no value is visible in the list
 * of processes. Its output goes to the standard error of the agent.
 */
function runProgram(action: CommandAction, timers: Pick<Timers, "delay">): Promise<ReactionResult> {
  const { program, timeoutMs } = action;
  return new Promise((resolve) => {
    const failed = (why: string) => resolve({ kind: "failed", why });
    const child = start(action);
    if (child instanceof Error) return failed(spawnProblem(program, child));
    const cancel = timers.delay(timeoutMs, () => {
      killGroup(child);
      failed(`the command did not end within ${timeoutMs} ms`);
    });
    child.once("error", (error) => {
      cancel();
      failed(spawnProblem(program, error));
    });
    child.once("exit", (code, signal) => {
      cancel();
      if (code === 0) resolve({ kind: "done" });
      else
        failed(signal === null ? `the command ended with the exit code ${code}` : `the command was ended by ${signal}`);
    });
  });
}

/** spawn() throws some errors of the operating system and emits others. */
function start({ program, arguments: rest }: CommandAction): ChildProcess | Error {
  try {
    // Detached: the program leads a process group, so that a timeout also ends what it has started.
    return spawn(program, [...rest], { stdio: ["ignore", 2, 2], detached: true });
  } catch (error) {
    return error as Error;
  }
}

function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // The group has just ended.
  }
}

function sendSignal(
  { signal, receiver }: Extract<Reaction, { readonly kind: "signal" }>,
  processes: Processes,
): ReactionResult {
  const found = receiversOf(receiver, processes);
  if (found.kind !== "found") return { kind: found.kind, why: found.why };
  // Every process gets the signal before the result is decided: a process of another user that has the same name, by
  // accident or on purpose, must not keep the signal from the others.
  const results = found.pids.map((pid) => signalOne(pid, signal, processes));
  const first = (kind: ReactionResult["kind"]) => results.find((result) => result.kind === kind);
  return first("done") ?? first("failed") ?? first("absent") ?? { kind: "done" };
}

function signalOne(pid: number, signal: NodeJS.Signals, processes: Processes): ReactionResult {
  const problem = processes.signal(pid, signal);
  if (problem === undefined) return { kind: "done" };
  if (problem === "ESRCH") return { kind: "absent", why: `the process ${pid} has ended` };
  return { kind: "failed", why: `${signal} can't be sent to the process ${pid} (${problem})` };
}

import { CommanderError } from "commander";
import { ExitStatus } from "./exit-status.ts";
import { printable } from "./printable.ts";

/** Errors of the language: nobody meant to tell the user anything by them. */
const FAULTS = new Set(["Error", "TypeError", "RangeError", "ReferenceError", "SyntaxError", "AssertionError"]);

/** What the program says about an error: a line for each problem, a stack only for a fault of ours. */
export function complaint(error: unknown): string {
  // Commander has said it already, and a command that was run has said what it had to say.
  if (error instanceof CommanderError || (error instanceof ExitStatus && error.message === "")) return "";
  const lines = isFault(error) ? (error.stack ?? error.message).split("\n") : problems(error);
  return lines.map((line) => `coffer: ${printable(line)}\n`).join("");
}

/** An error of the operating system has a plain name as well, but the system call that failed. */
function isFault(error: unknown): error is Error {
  return error instanceof Error && FAULTS.has(error.name) && !("syscall" in error);
}

function problems(error: unknown): readonly string[] {
  if (!(error instanceof Error)) return [String(error)];
  return "problems" in error ? (error.problems as readonly string[]) : error.message.split("\n");
}

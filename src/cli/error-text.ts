import { CommanderError } from "commander";
import { ExitStatus } from "./exit-status.ts";
import { printable } from "./printable.ts";

/** The names of built-in errors of JavaScript and Node. They indicate a bug and are not messages for the user. */
const FAULTS = new Set(["Error", "TypeError", "RangeError", "ReferenceError", "SyntaxError", "AssertionError"]);

/** The text that the program prints for an error: one line for each problem, and a stack only for a bug in Coffer. */
export function errorText(error: unknown): string {
  // Commander has already printed its message, and a child command its own.
  if (error instanceof CommanderError || (error instanceof ExitStatus && error.message === "")) return "";
  const lines = isFault(error) ? (error.stack ?? error.message).split("\n") : problems(error);
  return lines.map((line) => `coffer: ${printable(line)}\n`).join("");
}

/** An error of the operating system also has the name "Error", but it names the system call that failed. */
function isFault(error: unknown): error is Error {
  return error instanceof Error && FAULTS.has(error.name) && !("syscall" in error);
}

function problems(error: unknown): readonly string[] {
  if (!(error instanceof Error)) return [String(error)];
  return "problems" in error ? (error.problems as readonly string[]) : error.message.split("\n");
}

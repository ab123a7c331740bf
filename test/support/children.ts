import type { ChildProcess } from "node:child_process";
import { after } from "node:test";

// A signal ends a process without its "exit" event, so child processes would survive it.
const ENDINGS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

const running = new Set<ChildProcess>();

/**
 * Binds a child process to this test file: it is killed when the tests of the file are over, or when the process of the
 * file ends earlier. A cancelled test does not reach its clean-up. Its child process would keep the file running until
 * the file is cancelled too, and would then survive the file.
 */
export function ofThisFile<Child extends ChildProcess>(child: Child): Child {
  running.add(child);
  child.once("exit", () => running.delete(child));
  return child;
}

function killAll(): void {
  for (const child of running) child.kill("SIGKILL");
}

// The programs of bench/ import this module too, and run without the test runner.
if (process.env["NODE_TEST_CONTEXT"] !== undefined) after(killAll);
process.once("exit", killAll);
for (const signal of ENDINGS) process.once(signal, () => process.exit(1));

import type { ChildProcess } from "node:child_process";
import { after } from "node:test";

// A signal ends a process without its "exit" event, and would leave children behind.
const ENDINGS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

const running = new Set<ChildProcess>();

/**
 * Makes a child process one of this test file: it is killed when the tests of the file are over, or when the file's own
 * process ends before. A test that was cancelled never comes to its clean-up, and its server would hold up the file until
 * that is cancelled as well, and live on behind it.
 */
export function ofThisFile<Child extends ChildProcess>(child: Child): Child {
  running.add(child);
  child.once("exit", () => running.delete(child));
  return child;
}

function killAll(): void {
  for (const child of running) child.kill("SIGKILL");
}

// Only where the runner runs this file: the programs of bench/ use these servers as well.
if (process.env["NODE_TEST_CONTEXT"] !== undefined) after(killAll);
process.once("exit", killAll);
for (const signal of ENDINGS) process.once(signal, () => process.exit(1));

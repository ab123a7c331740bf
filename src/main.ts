#!/usr/bin/env -S node --max-semi-space-size=64
import process from "node:process";

// The reader of the output may close it early, as `head` does. Without a listener, the error would print a stack.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});

// A server reloads at SIGHUP. Without this listener, a SIGHUP while the program loads would end the process (exit code
// 129), and an init system may send one to a server that it has just started. It needs no reload, because the start
// reads all files.
if (["serve", "dev"].includes(process.argv[2] ?? "")) process.on("SIGHUP", () => {});

process.exit(await main());

/** Imports the program dynamically: if that fails, for example with EMFILE, a static import would print a stack. */
async function main(): Promise<number> {
  try {
    const { run } = await import("./cli/program.ts");
    return await run(process.argv.slice(2), process);
  } catch (error) {
    process.stderr.write(`coffer: the program can't be loaded: ${(error as Error).message}\n`);
    return 1;
  }
}

#!/usr/bin/env -S node --max-semi-space-size=64
import process from "node:process";

// Whoever reads our output may stop early, as `head` does; without a listener that would end in a stack.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});

// A server takes SIGHUP as a wish to reload. While the program loads, it would end the process (exit code 129): an init
// system may send it to a server that it has just started. The start itself reads everything, so nothing is missed.
if (["serve", "dev"].includes(process.argv[2] ?? "")) process.on("SIGHUP", () => {});

process.exit(await main());

/** Imports the program only now: where too few files can be open for that (EMFILE), Node would end with a stack. */
async function main(): Promise<number> {
  try {
    const { run } = await import("./cli/program.ts");
    return await run(process.argv.slice(2), process);
  } catch (error) {
    process.stderr.write(`coffer: the program can't be loaded: ${(error as Error).message}\n`);
    return 1;
  }
}

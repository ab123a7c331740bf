#!/usr/bin/env -S node --max-semi-space-size=64
import process from "node:process";
import { run } from "./cli/program.ts";

// Whoever reads our output may stop early, as `head` does; without a listener that would end in a stack.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});

process.exit(await run(process.argv.slice(2), process));

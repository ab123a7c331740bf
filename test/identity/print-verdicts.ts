import { verdicts } from "./verdicts.ts";

// A program, for the Node that runs it.
process.stdout.write((await verdicts()).join("\n"));

import { verdicts } from "./verdicts.ts";

// A program that prints the verdicts of the Node release that runs it.
process.stdout.write((await verdicts()).join("\n"));

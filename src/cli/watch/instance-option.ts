import { hostname } from "node:os";
import type { Command } from "commander";
import { parsed } from "../parsed.ts";

// coffer.proto, ReportRequest.instance.
const INSTANCE = /^[A-Za-z0-9._-]{1,253}$/;

/** Adds `--instance`: the name in the reports of a watcher. */
export function addInstance(command: Command): Command {
  return command.option("--instance <name>", "the name of this watcher in describe", parsed(parseInstance), thisHost());
}

function parseInstance(text: string): string {
  if (INSTANCE.test(text)) return text;
  throw new Error("invalid name: expected 1 to 253 of the characters A-Z a-z 0-9 . _ -");
}

/** The name of this machine or, in Kubernetes, of the pod. */
function thisHost(): string {
  return hostname()
    .replaceAll(/[^A-Za-z0-9._-]/g, "-")
    .slice(0, 253);
}

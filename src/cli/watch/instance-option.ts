import { hostname } from "node:os";
import type { Command } from "commander";
import { parseInstance } from "../../config/value.ts";
import { MAX_INSTANCE_BYTES } from "../../contract/limits.ts";
import { parsed } from "../parsed.ts";

/** Adds `--instance`: the name in the reports of a watcher. */
export function addInstance(command: Command): Command {
  const description = "the name of this watcher in describe";
  return command.option("--instance <name>", description, parsed(parseInstance), instanceOfThisMachine());
}

/** The name of this machine, which is that of the pod in Kubernetes, with the characters that a report allows. */
export function instanceOfThisMachine(): string {
  return hostname()
    .replaceAll(/[^A-Za-z0-9._-]/g, "-")
    .slice(0, MAX_INSTANCE_BYTES);
}

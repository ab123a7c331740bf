import type { Command } from "commander";
import { parseDuration } from "../../config/value.ts";
import type { CofferClient } from "../../client/coffer-client.ts";
import type { Secret } from "../../client/read-secret.ts";
import { runCommand } from "../run/child-command.ts";
import { askServer } from "../client-command.ts";
import { CommandFailed } from "../command-failed.ts";
import { connectionOptions } from "../connection-options.ts";
import { implyValue } from "../implied-value.ts";
import { addOptions } from "../option-flags.ts";
import { parsed } from "../parsed.ts";
import { type SourcedSecret, secretVariables } from "../run/secret-variables.ts";
import { processRelay } from "../run/process-relay.ts";
import { type ChangeReaction, parseChangeReaction } from "../run/change-reaction.ts";
import { addInstance } from "../watch/instance-option.ts";
import { type VariableSource, parseVariableSources } from "../run/variable-source.ts";
import type { World } from "../../process/world.ts";

const EXAMPLES = `
Sources:
  PATH            every key of the secret, as the variable of that name
  NAME=PATH:KEY   one value, as the variable NAME

Only NAME=PATH:KEY can set a variable that loaders and interpreters read, such as PATH or
LD_PRELOAD, or replace a variable that is already set.

Examples:
  coffer run shop/api/env -- ./server --port 8080
  coffer run --wait 60s DB_PASSWORD=shop/api/db:password -- ./server
  coffer run --watch shop/api/env -- ./server

With --watch, the secrets are watched while the command runs. At a new version, the command gets
SIGTERM and, after --grace, SIGKILL, and is then started with the new values. With --watch=HUP, for
example, it only gets SIGHUP. If a secret disappears, or its new version can't be used, the command
keeps running. A command that ends by itself is not started again.

Exits with the command's exit code, or with 128 plus the number of the signal that ended it; with
127 if the command is not found, and 126 if it can't be run. If it fails before it runs the command,
it exits with Coffer's own exit codes.`;

/** The flags of `coffer run`. Durations are in milliseconds. */
interface RunFlags {
  readonly wait?: number;
  readonly watch?: ChangeReaction;
  readonly minInterval?: number;
  readonly grace?: number;
  readonly instance: string;
}

/** `coffer run`. */
export function addRun(program: Command, world: World): void {
  const command = program
    .command("run <source...>")
    .usage("[options] <source...> -- <command> [args...]")
    .description("Run a command with secrets in its environment. Options come before --; the command follows it.")
    .option("--wait <duration>", "retry while the secret does not exist or no server responds", parsed(parseDuration))
    .option(
      "--watch [reaction]",
      "at a new version: restart the command (the default), or send it a signal, as in --watch=HUP",
      parsed(parseChangeReaction),
    )
    .option(
      "--min-interval <duration>",
      "with --watch: the minimum time between two reactions; changes in between cause one [default 10s]",
      parsed(parseDuration),
    )
    .option(
      "--grace <duration>",
      "with --watch: how long the command may take to end after SIGTERM, before SIGKILL [default 10s]",
      parsed(parseDuration),
    )
    .addHelpText("after", EXAMPLES);
  implyValue(command, "--watch", "restart");
  addInstance(command);
  addOptions(command, connectionOptions);
  command.action(() => run(command, world));
}

async function run(command: Command, world: World): Promise<never> {
  const relay = processRelay(world);
  const { untilAvailable } = await import("../wait.ts");
  const { sources, program, rest } = readLine(command.args, world.argv);
  const { wait = 0, watch, ...flags } = command.opts<RunFlags>();
  if (watch === undefined) refuseUnused(command);
  const read = (client: CofferClient) => untilAvailable(() => readAll(client, sources), wait);
  const untilRun = <Result>(work: Promise<Result>) =>
    relay.until(work, (signal) => `ended by ${signal} before the command was run`);
  if (watch === undefined) {
    const secrets = await untilRun(askServer(command, world, read));
    // The client is closed before the command starts, so no connection is inherited or stays open while the command runs.
    const env = { ...world.env, ...secretVariables(secrets, world.env) };
    throw await runCommand({ program, arguments: rest, env }, relay);
  }
  const { runWatched } = await import("../run/watched-run.ts");
  const supervise = async (client: CofferClient) => {
    const secrets = await read(client);
    return runWatched({ client, secrets, program, arguments: rest, reaction: watch, ...flags }, relay, world);
  };
  throw await untilRun(askServer(command, world, supervise));
}

/** The flags that belong to --watch, by the name of their option. */
const WATCH_FLAGS = { minInterval: "--min-interval", grace: "--grace", instance: "--instance" };

/** Refuses options that have no effect without --watch: it was probably forgotten. */
function refuseUnused(command: Command): void {
  for (const [name, flag] of Object.entries(WATCH_FLAGS))
    if (command.getOptionValueSource(name) === "cli") throw new CommandFailed("usage", `${flag} needs --watch`);
}

/** Separates the arguments before and after `--`, which commander returns as one list. */
function readLine(operands: readonly string[], argv: readonly string[]) {
  const separator = argv.indexOf("--");
  const words = separator === -1 ? [] : argv.slice(separator + 1);
  const sources = parseVariableSources(operands.slice(0, operands.length - words.length));
  const [program, ...rest] = words;
  if (program === undefined) throw new CommandFailed("usage", "missing command after --, as in run PATH -- COMMAND");
  if (sources.length === 0) throw new CommandFailed("usage", "missing secret before --");
  return { sources, program, rest };
}

/** Reads each path once, so that two values of one secret come from the same version. */
function readAll(client: CofferClient, sources: readonly VariableSource[]): Promise<SourcedSecret[]> {
  const reading = new Map<string, Promise<Secret>>();
  const read = (path: string) => {
    const secret = reading.get(path) ?? client.get(path);
    reading.set(path, secret);
    return secret;
  };
  return Promise.all(sources.map(async (source) => ({ source, secret: await read(source.path) })));
}

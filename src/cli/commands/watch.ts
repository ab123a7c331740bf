import { type Command, Option } from "commander";
import type { World } from "../../process/world.ts";
import { askServer } from "../client-command.ts";
import { CommandFailed } from "../command-failed.ts";
import { connectionOptions } from "../connection-options.ts";
import { addOptions } from "../option-flags.ts";
import { outputOption } from "../output-option.ts";
import { parsed } from "../parsed.ts";
import { processRelay } from "../run/process-relay.ts";
import { addInstance } from "../watch/instance-option.ts";

/** The flags of `coffer watch`. */
interface WatchFlags {
  readonly prefix?: readonly string[];
  readonly output: "text" | "json";
  readonly values?: boolean;
  readonly exec?: string;
  readonly once?: boolean;
  readonly instance: string;
}

const NOTES = `
The newest state of each secret comes first, and then each change. If a secret changes several times
while nothing reads the output or while the command runs, only its newest state follows. A line has
the time at which the change arrived, the path, the version and the state: LIVE, DELETED, DESTROYED,
EXPIRED, or NONE for a secret without versions; PURGED, REVOKED if a rule no longer allows it, or
VANISHED if the secret was purged or revoked during an outage.

The command of --exec is a command line of sh, with COFFER_PATH, COFFER_VERSION and COFFER_STATE in
its environment. Its standard input is the line of -o json, which has values only with --values. It
runs for one change at a time.

watch reconnects after an outage, and reports it on standard error. SIGINT and SIGTERM end it.

Examples:
  coffer watch shop/api/db
  coffer watch --prefix shop/ -o json | jq -r .path
  coffer watch shop/api/tls --exec 'coffer get shop/api/tls tls.key --out /run/tls.key && nginx -s reload'`;

/** `coffer watch`. */
export function addWatch(program: Command, world: World): void {
  const command = program
    .command("watch [path...]")
    .description("Print the newest state of secrets, and then a line for each change. Shows values only with --values.")
    .option("--prefix <prefix>", "watch each secret whose path begins with this; '' is all [repeatable]", listed)
    .addOption(outputOption(new Option("-o, --output <format>", "the output format"), ["text", "json"], "text"))
    .option("--values", "with -o json or --exec: with the values of the newest versions")
    .option("--exec <command>", "run this command for each change, instead of printing a line", parsed(parseCommand))
    .option("--once", "end after the newest states; fail if the server does not respond")
    .addHelpText("after", NOTES);
  addInstance(command);
  addOptions(command, connectionOptions);
  command.action(() => watchSecrets(command, world));
}

function listed(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text];
}

function parseCommand(text: string): string {
  if (text.trim() === "") throw new Error("expected a command");
  return text;
}

async function watchSecrets(command: Command, world: World): Promise<void> {
  const flags = command.opts<WatchFlags>();
  const paths = command.processedArgs[0] as readonly string[];
  if (paths.length === 0 && flags.prefix === undefined) throw new CommandFailed("usage", "missing path or --prefix");
  if (flags.exec !== undefined && command.getOptionValueSource("output") !== "default")
    throw new CommandFailed("usage", "use either --exec or -o");
  if (flags.values && flags.exec === undefined && flags.output !== "json")
    throw new CommandFailed("usage", "--values needs -o json or --exec");
  const { printChanges, runForChanges } = await import("../watch/watch-session.ts");
  const { prefix: prefixes = [], values: withValues = false, once = false, exec, output, instance } = flags;
  const options = { paths, prefixes, withValues, instance };
  const relay = processRelay(world);
  const watching = askServer(command, world, (client) => {
    const task = { client, options, once, world };
    return exec === undefined ? printChanges(task, output) : runForChanges(task, exec, relay);
  });
  await relay.until(watching);
}

import type { Command } from "commander";
import { parseDuration, parseFilePath } from "../../config/value.ts";
import type { World } from "../../process/world.ts";
import { warnOfUnknownVariables } from "../client-command.ts";
import { CommandFailed } from "../command-failed.ts";
import { connectionOptions } from "../connection-options.ts";
import { addOptions, givenFlags } from "../option-flags.ts";
import { write } from "../output.ts";
import { parsed } from "../parsed.ts";
import { printable } from "../printable.ts";

interface AgentFlags {
  readonly config: string;
  readonly check?: true;
  readonly once?: true;
  readonly wait?: number;
}

const EXAMPLES = `
With --once, commands are not run and no signal is sent. The exit code is 0 when all targets are
complete, and 6 if they are not after --wait. Without --wait, there is no limit.

Examples:
  coffer agent -c agent.yaml --check
  coffer agent -c agent.yaml --once --wait 5m
  coffer agent -c agent.yaml`;

/** `coffer agent`. */
export function addAgent(program: Command, world: World): void {
  const command = program
    .command("agent")
    .description("Keep secrets in files, and run a command or send a signal when they change.")
    .requiredOption("-c, --config <file>", "what to write where, in YAML (docs/agent.md)", parsed(parseFilePath))
    .option("--check", "report the problems of the file with their lines and columns, and exit; calls no server")
    .option("--once", "exit when all targets are complete, as an init container")
    .option("--wait <duration>", "with --once: for how long to try, such as 5m", parsed(parseDuration))
    .addHelpText("after", EXAMPLES);
  addOptions(command, connectionOptions);
  command.action(() => agent(command, world));
}

async function agent(command: Command, world: World): Promise<void> {
  const flags = command.opts<AgentFlags>();
  if (flags.wait !== undefined && flags.once === undefined) throw new CommandFailed("usage", "--wait needs --once");
  const { readAgentConfig } = await import("../../agent/config-file.ts");
  const config = readAgentConfig(flags.config);
  if (flags.check) {
    const count = config.targets.length;
    return write(world.stdout, `${printable(flags.config)} is valid: ${count} ${count === 1 ? "target" : "targets"}\n`);
  }
  await warnOfUnknownVariables(world);
  const [{ readConnection }, { runAgent }] = await Promise.all([
    import("../client-connection.ts"),
    import("../agent-running.ts"),
  ]);
  const connection = readConnection(givenFlags(command.opts(), connectionOptions), world.env);
  await runAgent(config, connection, flags.once ? { kind: "once", waitMs: flags.wait } : { kind: "running" }, world);
}

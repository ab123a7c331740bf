import { type Command, Option } from "commander";
import { OptionReader, DEFAULT_OPS_ADDRESS } from "../../config/option.ts";
import { parseDuration } from "../../config/value.ts";
import { parseAddress } from "../../domain/address.ts";
import { warnOfUnknownVariables } from "../client-command.ts";
import { CommandFailed } from "../command-failed.ts";
import { DEFAULT_TIMEOUT, statusOptions } from "../connection-options.ts";
import { addOptions, givenFlags } from "../option-flags.ts";
import { outputOption } from "../output-option.ts";
import { write } from "../output.ts";
import type { World } from "../../process/world.ts";

const NOTES = `
The ops listener serves the status only to programs on its own machine, and needs no SVID. Run this command
where the server runs, for example with kubectl exec or docker exec. Exits with 0 if the server is ready, and
with 6 if it is not ready or does not respond.`;

/** `coffer status`. */
export function addStatus(program: Command, world: World): void {
  const command = program
    .command("status")
    .description(
      "Show the state of a server: whether it is ready, its SVID and when it expires, the sources of identity and policy, " +
        "its store, revision, disk, threads and uptime.",
    )
    .addOption(outputOption(new Option("-o, --output <format>", "the output format"), ["table", "json"], "table"))
    .addHelpText("after", NOTES);
  addOptions(command, statusOptions);
  command.action(() => showStatus(command, world));
}

async function showStatus(command: Command, world: World): Promise<void> {
  await warnOfUnknownVariables(world);
  const reader = new OptionReader(givenFlags(command.opts(), statusOptions), world.env);
  const address = reader.optional(statusOptions.opsAddr, parseOpsAddress) ?? parseOpsAddress(DEFAULT_OPS_ADDRESS);
  const timeoutMs = reader.optional(statusOptions.timeout, parseDuration) ?? parseDuration(DEFAULT_TIMEOUT);
  reader.finish();
  const { askStatus, statusTable } = await import("../status-table.ts");
  const status = await askStatus(address, timeoutMs);
  const isJson = command.opts()["output"] === "json";
  await write(world.stdout, isJson ? `${JSON.stringify(status, null, 2)}\n` : statusTable(status));
  if (!status.ready) throw new CommandFailed("unavailable", "the server is not ready");
}

function parseOpsAddress(text: string): { readonly host: string; readonly port: number } {
  const address = parseAddress(text);
  if (address.kind === "unix") throw new Error(`invalid address ${JSON.stringify(text)}: expected HOST:PORT`);
  return { host: address.host, port: address.port };
}

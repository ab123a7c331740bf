import { type Command, Option } from "commander";
import type { ListingEntry } from "../../client/list-pages.ts";
import { callsServer } from "../client-command.ts";
import { outputOption } from "../output-option.ts";
import { showTime, table } from "../printable.ts";
import { write } from "../output.ts";
import type { World } from "../../process/world.ts";

/** `coffer list`. */
export function addList(program: Command, world: World): void {
  const command = program
    .command("list [prefix]")
    .description("List the secrets whose path begins with a prefix and that you may list, in path order.")
    .addOption(outputOption(new Option("-o, --output <format>", "the output format"), ["table", "json"], "table"));
  callsServer(command, world, async (client) => {
    const entries: ListingEntry[] = [];
    for await (const entry of client.list(command.processedArgs[0])) entries.push(entry);
    await write(world.stdout, command.opts()["output"] === "json" ? listJson(entries) : listTable(entries));
  });
}

function listTable(entries: readonly ListingEntry[]): string {
  const rows = entries.map(({ path, latestVersion, updateTime }) => [
    path,
    latestVersion === 0 ? "" : String(latestVersion),
    showTime(updateTime),
  ]);
  return table([["PATH", "VERSION", "UPDATED"], ...rows]);
}

function listJson(entries: readonly ListingEntry[]): string {
  const rows = entries.map(({ path, latestVersion, updateTime }) => ({
    path,
    latest_version: latestVersion,
    update_time: showTime(updateTime),
  }));
  return `${JSON.stringify(rows, null, 2)}\n`;
}

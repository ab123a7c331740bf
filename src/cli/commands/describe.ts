import { type Command, Option } from "commander";
import type { SecretDescription } from "../../client/description.ts";
import { type VersionDescription, VersionState } from "../../contract/messages.ts";
import { callsServer } from "../client-command.ts";
import { outputOption } from "../output-option.ts";
import { showTime, table } from "../printable.ts";
import { write } from "../output.ts";
import type { World } from "../../process/world.ts";

/** `coffer describe`. */
export function addDescribe(program: Command, world: World): void {
  const command = program
    .command("describe <path>")
    .description(
      "Show the versions of a secret: their state, and who created and deleted them, and when. Shows no values.",
    )
    .addOption(outputOption(new Option("-o, --output <format>", "the output format"), ["table", "json"], "table"));
  callsServer(command, world, async (client) => {
    const description = await client.describe(command.processedArgs[0]);
    const show = command.opts()["output"] === "json" ? describeJson : describeTable;
    await write(world.stdout, show(description));
  });
}

function describeTable({ path, versions, latestVersion, maxVersions }: SecretDescription): string {
  const rows = versions.map((version) => [
    String(version.version),
    stateName(version),
    showTime(version.createTime),
    version.createdBy,
    showTime(version.deleteTime),
    version.deletedBy || "-",
  ]);
  const heading = ["VERSION", "STATE", "CREATED", "CREATED BY", "DELETED", "DELETED BY"];
  return `${path}: latest version ${latestVersion}, at most ${maxVersions} are retained\n${table([heading, ...rows])}`;
}

function describeJson({ path, versions, latestVersion, maxVersions }: SecretDescription): string {
  const document = {
    path,
    latest_version: latestVersion,
    max_versions: maxVersions,
    versions: versions.map((version) => ({
      version: version.version,
      state: stateName(version),
      create_time: showTime(version.createTime),
      created_by: version.createdBy,
      ...(version.deleteTime === undefined
        ? {}
        : { delete_time: showTime(version.deleteTime), deleted_by: version.deletedBy }),
      revision: version.revision,
    })),
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

function stateName({ state }: VersionDescription): string {
  const found = Object.entries(VersionState).find(([, number]) => number === state);
  return found === undefined ? `STATE ${state}` : found[0].toUpperCase();
}

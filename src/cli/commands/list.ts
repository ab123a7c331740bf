import { type Command, Option } from "commander";
import type { CofferClient } from "../../client/coffer-client.ts";
import type { ListOptions } from "../../client/call-options.ts";
import type { ListingPrefix, ListingEntry } from "../../client/list-pages.ts";
import { VersionState } from "../../contract/messages.ts";
import { processTimers } from "../../domain/timers.ts";
import type { World } from "../../process/world.ts";
import { addOutputOption, printAnswer } from "../answer-output.ts";
import { callsServer } from "../client-command.ts";
import { type Labels, parseLabels, showLabels } from "../label-option.ts";
import { showTime, table } from "../printable.ts";
import { withProgress } from "../progress.ts";
import { stateName } from "../version-text.ts";

interface ListFlags {
  readonly labels?: Labels;
  readonly delimiter?: "/";
  readonly showDeleted?: boolean;
}

type Listed = ListingEntry | ListingPrefix;

const EXAMPLES = `
Examples:
  coffer list shop/
  coffer list shop/ --delimiter /       # this level only, with deeper ones as shop/api/
  coffer list --labels team=shop,env=prod`;

/** `coffer list`. */
export function addList(program: Command, world: World): void {
  const command = program
    .command("list [prefix]")
    .description("List the secrets whose path begins with a prefix and that you may list, in path order.")
    .option("--labels <pairs>", "only secrets with all of these labels, such as team=shop [repeatable]", parseLabels)
    .addOption(new Option("--delimiter <delimiter>", "list one level, like a folder").choices(["/"]))
    .option("--show-deleted", "also secrets whose latest version is deleted, destroyed or expired, or that have none")
    .addHelpText("after", EXAMPLES);
  addOutputOption(command);
  callsServer(command, world, async (client) => {
    const [prefix = ""] = command.processedArgs as [string?];
    const { labels, delimiter, showDeleted } = command.opts<ListFlags>();
    const listed = await listAll(client, prefix, { labels, delimiter, showDeleted }, world);
    await printAnswer(command, world, listed.map(jsonEntry), () => listTable(listed, showDeleted));
  });
}

async function listAll(
  client: CofferClient,
  prefix: string,
  options: ListOptions,
  { stderr }: World,
): Promise<Listed[]> {
  const listed: Listed[] = [];
  const text = (seconds: number) => `listing: ${listed.length} so far, ${seconds} s`;
  return withProgress(text, { output: stderr, timers: processTimers }, async () => {
    for await (const item of client.list(prefix, options)) listed.push(item);
    return listed;
  });
}

/** The column STATE appears with --show-deleted, and the column LABELS if a secret has labels. */
function listTable(listed: readonly Listed[], showDeleted = false): string {
  const hasLabels = listed.some((item) => item.kind === "secret" && showLabels(item.labels) !== "");
  const columns = [true, true, true, showDeleted, hasLabels];
  const rows = [["PATH", "VERSION", "UPDATED", "STATE", "LABELS"], ...listed.map(listRow)];
  return table(rows.map((row) => row.filter((_, column) => columns[column])));
}

function listRow(item: Listed): readonly string[] {
  if (item.kind === "prefix") return [item.prefix, "", "", "", ""];
  const { path, latestVersion, updateTime, state, labels } = item;
  const version = latestVersion === 0 ? "" : String(latestVersion);
  return [path, version, showTime(updateTime), stateOf(state) ?? "-", showLabels(labels)];
}

function jsonEntry(item: Listed): object {
  if (item.kind === "prefix") return { prefix: item.prefix };
  const { kind: _, state, ...entry } = item;
  return { ...entry, state: stateOf(state) };
}

/** Undefined if the caller may not describe the secret, or if it has no version. */
function stateOf(state: number): string | undefined {
  return state === VersionState.unspecified ? undefined : stateName(state);
}

import type { Command } from "commander";
import { parseUint32 } from "../../config/value.ts";
import type { World } from "../../process/world.ts";
import { addOutputOption, printAnswer } from "../answer-output.ts";
import { addExpectedVersion, addYes, changesStore } from "../change-command.ts";
import { callsServer } from "../client-command.ts";
import { CommandFailed } from "../command-failed.ts";
import { type Labels, parseLabels } from "../label-option.ts";
import { listOf, parsed } from "../parsed.ts";
import { reading } from "../reading.ts";
import { settingsTable } from "../secret-settings.ts";
import { parseTtl } from "../expiry-text.ts";

interface SetFlags {
  readonly maxVersions?: number;
  readonly labels?: Labels;
  readonly removeLabels?: readonly string[];
  readonly description?: string;
  readonly defaultTtl?: number;
  readonly casRequired?: boolean;
  readonly yes?: boolean;
}

/** `coffer metadata`. */
export function addMetadata(program: Command, world: World): void {
  const group = program
    .command("metadata")
    .description("Show or change the settings of a secret: retained versions, labels, description, expiry.");
  addGet(group, world);
  addSet(group, world);
}

function addGet(group: Command, world: World): void {
  const command = group
    .command("get <path>")
    .description("Show the settings of a secret.")
    .summary("show the settings");
  addOutputOption(command);
  callsServer(command, world, async (client) => {
    const {
      versions: _,
      latestVersion: __,
      convergence: ___,
      ...settings
    } = await reading(world, () => client.describe(command.processedArgs[0] as string));
    await printAnswer(command, world, settings, settingsTable);
  });
}

function addSet(group: Command, world: World): void {
  const command = group
    .command("set <path>")
    .description(
      "Change settings of a secret; the others stay as they are. The secret does not have to exist. Asks for a " +
        "confirmation if a smaller --max-versions removes versions.",
    )
    .summary("change settings")
    .option("--max-versions <n>", "the maximum number of retained versions: 1 to 100", parsed(parseUint32))
    .option("--labels <pairs>", "labels to set, such as team=shop,env=prod [repeatable]", parseLabels)
    .option("--remove-labels <keys>", "keys of labels to remove, such as team,env [repeatable]", listOf)
    .option("--description <text>", 'a description of at most 1,024 bytes; "" removes it')
    .option(
      "--default-ttl <duration>",
      "the time to live of versions that are written without an expiry; 0s removes it",
      parsed(parseTtl),
    )
    .option("--cas-required", "require --expected-version for every new version of this secret")
    .option("--no-cas-required", "do not require it");
  addExpectedVersion(command, "this is the latest version; 0: only if the secret does not exist");
  addYes(command);
  changesStore(command, world, {
    run: async ({ client, options, attempt }) => {
      const [path] = command.processedArgs as [string];
      const { yes, ...flags } = command.opts<SetFlags>();
      const changes = changesOf(flags);
      if (changes.maxVersions !== undefined) {
        const [{ confirm }, { pruningOf }] = await Promise.all([import("../confirmation.ts"), import("../pruning.ts")]);
        const pruning = yes ? undefined : await pruningOf(client, path, changes.maxVersions);
        if (pruning !== undefined) await confirm(pruning, { yes }, world);
      }
      return attempt(() => client.metadata(path, changes, options));
    },
    show: ({ path, revision }) => `${path} settings changed (revision ${revision})\n`,
  });
}

/** The changes, without the other options of the command. Throws CommandFailed if there are none. */
function changesOf(flags: SetFlags) {
  const { maxVersions, labels, removeLabels, description, defaultTtl: defaultTtlMs, casRequired } = flags;
  const changes = { maxVersions, labels, removeLabels, description, defaultTtlMs, casRequired };
  if (Object.values(changes).every((change) => change === undefined)) {
    throw new CommandFailed("usage", "no setting to change: see coffer metadata set --help");
  }
  return changes;
}

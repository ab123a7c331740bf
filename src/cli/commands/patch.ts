import type { Command } from "commander";
import { Content } from "../../domain/content.ts";
import type { World } from "../../process/world.ts";
import { parseAssignments, readEntries } from "../assignment.ts";
import { addExpectedVersion, changesStore } from "../change-command.ts";
import { CommandFailed } from "../command-failed.ts";
import { listOf } from "../parsed.ts";
import { showAdded } from "../version-text.ts";

interface PatchFlags {
  readonly remove?: readonly string[];
  readonly allowEmpty?: boolean;
}

const EXAMPLES = `
A value comes from the sources that coffer put has: key=@FILE, key=-, key=?, key=VALUE, key:=VALUE.

Examples:
  coffer patch shop/api/db 'password=?'
  coffer patch shop/api/db host=db2.example --remove port,socket`;

/** `coffer patch`. */
export function addPatch(program: Command, world: World): void {
  const command = program
    .command("patch <path> [key=value...]")
    .description(
      "Write a new version of a secret with some keys set or removed; the others stay as they are. Needs no permission to " +
        "read the secret. The new version does not inherit the expiry.",
    )
    .option("--remove <keys>", "the keys to remove, such as a,b; missing ones are ignored [repeatable]", listOf)
    .option("--allow-empty", "store values that are empty")
    .addHelpText("after", EXAMPLES);
  addExpectedVersion(command, "this is the latest version");
  changesStore(command, world, {
    run: async ({ client, options, attempt }) => {
      const [path, texts = []] = command.processedArgs as [string, string[]?];
      const { remove = [], ...reading } = command.opts<PatchFlags>();
      const assignments = parseAssignments(texts);
      if (assignments.length + remove.length === 0)
        throw new CommandFailed("usage", "no key to change: expected key=value or --remove");
      const set = Content.unchecked(await readEntries(assignments, world, reading));
      return attempt(() => client.patch(path, { set, remove }, options));
    },
    show: showAdded,
  });
}

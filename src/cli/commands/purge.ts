import type { Command } from "commander";
import type { World } from "../../process/world.ts";
import { addExpectedVersion, addYes, changesStore } from "../change-command.ts";

/** `coffer purge`. */
export function addPurge(program: Command, world: World): void {
  const command = program
    .command("purge <path>")
    .description(
      "Remove a secret permanently: all versions, their content, their history and the settings. Asks for a confirmation. " +
        "The server does not use the version numbers again for the time of its --tombstone-retention, by default 90 days.",
    );
  addExpectedVersion(command, "this is the latest version");
  addYes(command);
  changesStore(command, world, {
    run: async ({ client, options, attempt }) => {
      const [path] = command.processedArgs as [string];
      const { confirm } = await import("../confirmation.ts");
      await confirm(`purge ${path} with all its versions`, command.opts(), world);
      return attempt(() => client.purge(path, options));
    },
    show: ({ path, lastVersion, revision }) =>
      `${path} purged: its last version was ${lastVersion} (revision ${revision})\n`,
  });
}

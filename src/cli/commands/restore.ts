import type { Command } from "commander";
import { parseUint32 } from "../../config/value.ts";
import type { World } from "../../process/world.ts";
import { addExpectedVersion, changesStore } from "../change-command.ts";
import { parsed } from "../parsed.ts";
import { showAdded } from "../version-text.ts";

/** `coffer restore`. */
export function addRestore(program: Command, world: World): void {
  const command = program
    .command("restore <path>")
    .argument("<version>", "the version to restore", parsed(parseUint32))
    .description(
      "Write a new version of a secret with the content of an older one. The server copies it; the content is not sent to " +
        "this command. The new version does not inherit the expiry.",
    );
  addExpectedVersion(command, "this is the latest version");
  changesStore(command, world, {
    run: ({ client, options, attempt }) => {
      const [path, version] = command.processedArgs as [string, number];
      return attempt(() => client.restore(path, version, options));
    },
    show: showAdded,
  });
}

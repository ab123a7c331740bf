import type { Command } from "commander";
import { parseUint32 } from "../../config/value.ts";
import type { World } from "../../process/world.ts";
import { addExpectedVersion, changesStore } from "../change-command.ts";
import { parsed } from "../parsed.ts";
import { showAdded } from "../version-text.ts";

/** `coffer cp`. */
export function addCp(program: Command, world: World): void {
  const command = program
    .command("cp <source> <target>")
    .description(
      "Write a new version of the target with the content of the source. The server copies it; the content is not sent to " +
        "this command. Labels, other settings, the expiry and older versions are not copied.",
    )
    .option("--version <n>", "the version of the source; the latest by default", parsed(parseUint32));
  addExpectedVersion(command, "this is the latest version of the target; 0: only if the target does not exist");
  changesStore(command, world, {
    run: ({ client, options, attempt }) => {
      const [source, target] = command.processedArgs as [string, string];
      const { version } = command.opts<{ readonly version?: number }>();
      return attempt(() => client.copy(source, target, { ...options, version }));
    },
    show: showAdded,
  });
}

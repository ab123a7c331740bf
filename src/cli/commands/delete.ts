import type { Command } from "commander";
import { parseUint32 } from "../../config/value.ts";
import { callsServer } from "../client-command.ts";
import { parsed } from "../parsed.ts";
import { write } from "../output.ts";
import type { World } from "../../process/world.ts";

/** `coffer delete`. */
export function addDelete(program: Command, world: World): void {
  const command = program
    .command("delete <path>")
    .description(
      "Delete versions of a secret, the latest by default. An older version does not become the latest: while the latest " +
        "version is deleted, get fails with not found until the next put. Deleting a deleted version changes nothing.",
    )
    .option("--versions <list>", "the versions, such as 1,2; all of them must exist", parsed(parseVersions))
    .option("--expected-version <n>", "delete only if this is the latest version", parsed(parseUint32));
  callsServer(command, world, async (client) => {
    const { change } = await import("../unclear-change.ts");
    const [path] = command.processedArgs as [string];
    const { versions } = await change(() => client.delete(path, command.opts()));
    const changed = versions.length === 0 ? "nothing: already deleted" : `version ${versions.join(", ")}`;
    await write(world.stdout, `${path} deleted ${changed}\n`);
  });
}

function parseVersions(text: string): number[] {
  return text.split(",").map(parseUint32);
}

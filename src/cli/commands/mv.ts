import type { Command } from "commander";
import { ClientError } from "../../client/client-error.ts";
import type { World } from "../../process/world.ts";
import { addExpectedVersion, addYes, changesStore } from "../change-command.ts";
import { CommandFailed } from "../command-failed.ts";

/** `coffer mv`. */
export function addMv(program: Command, world: World): void {
  const command = program
    .command("mv <source> <target>")
    .description(
      "Copy the latest version of the source to the target and purge the source, in one commit. The older versions of the " +
        "source, its labels and its other settings are lost. Asks for a confirmation.",
    );
  addExpectedVersion(command, "this is the latest version of the target; 0: only if the target does not exist");
  addYes(command);
  changesStore(command, world, {
    run: async ({ client, options: { expectedVersion, requestId }, attempt }) => {
      const [source, target] = command.processedArgs as [string, string];
      // The purge would remove the copy.
      if (source === target) throw new CommandFailed("usage", "the source and the target are the same secret");
      const { confirm } = await import("../confirmation.ts");
      await confirm(`move the latest version of ${source} to ${target} and purge ${source}`, command.opts(), world);
      const operations = [
        { kind: "copy", source, target, expectedVersion },
        { kind: "purge", path: source },
      ] as const;
      const { results, ...answer } = await attempt(() => client.commit(operations, { requestId }).catch(withoutIndex));
      const [{ version, expireTime }] = results;
      return { source, target, version, expireTime, ...answer };
    },
    show: ({ source, target, version, revision }) =>
      `${source} moved to ${target} version ${version} (revision ${revision})\n`,
  });
}

/** The user of mv has named no operations, so the index at the beginning of the message means nothing. */
function withoutIndex(error: unknown): never {
  if (error instanceof ClientError) error.message = error.message.replace(/^operation \d+: /, "");
  throw error;
}

import type { Command } from "commander";
import { runningOptions } from "../../config/serve-options.ts";
import { addOptions, givenFlags } from "../option-flags.ts";
import type { World } from "../../process/world.ts";

/** `coffer dev`. */
export function addDev(program: Command, world: World): void {
  const command = program
    .command("dev")
    .description(
      "Run a server for development, without configuration. Creates certificates in certs/dev, and data, root key and " +
        "policy in .coffer, below the current folder, and reuses them at the next start. Prints commands to paste.",
    );
  addOptions(command, runningOptions);
  command.action(async () => {
    const [{ requireSqlite }, { runDevelopment }] = await Promise.all([
      import("../require-sqlite.ts"),
      import("../run-development.ts"),
    ]);
    await requireSqlite();
    await runDevelopment(givenFlags(command.opts(), runningOptions), world);
  });
}

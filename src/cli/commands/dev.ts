import type { Command } from "commander";
import { runningOptions } from "../../config/serve-options.ts";
import { addOptions, givenFlags } from "../option-flags.ts";
import type { World } from "../../process/world.ts";

/** `coffer dev`. */
export function addDev(program: Command, world: World): void {
  const command = program
    .command("dev")
    .description(
      "Run a server for development, with nothing to configure. Certificates are made in certs/dev, data, root key and " +
        "policy in .coffer, all in the current folder, and all kept for the next time. Prints lines to paste.",
    );
  addOptions(command, runningOptions);
  command.action(async () => {
    const { runDevelopment } = await import("../run-development.ts");
    await runDevelopment(givenFlags(command.opts(), runningOptions), world);
  });
}

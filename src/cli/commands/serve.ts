import type { Command } from "commander";
import { serveOptions } from "../../config/serve-options.ts";
import { addOptions, givenFlags } from "../option-flags.ts";
import type { World } from "../../process/world.ts";

const NOTES = `
An option is taken from its flag, else from its variable, else from its default. Variables hold
repeatable options as a list with commas. Sizes are bytes, or a number with KiB, MiB or GiB.

SIGTERM and SIGINT stop the server in good order, a second one at once. SIGHUP has it look for
new certificates and a new policy at once; both are followed without it as well.`;

/** `coffer serve`. */
export function addServe(program: Command, world: World): void {
  const command = program.command("serve").description("Run the server.").addHelpText("after", NOTES);
  addOptions(command, serveOptions);
  command.action(async () => {
    const { runServer } = await import("../serving.ts");
    await runServer(givenFlags(command.opts(), serveOptions), world);
  });
}

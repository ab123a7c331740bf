import type { Command } from "commander";
import { serveOptions } from "../../config/serve-options.ts";
import { addOptions, givenFlags } from "../option-flags.ts";
import type { World } from "../../process/world.ts";

const NOTES = `
An option is read from its flag, otherwise from its variable, otherwise its default applies. A
variable holds a repeatable option as a comma-separated list. Sizes are bytes, or a number with
KiB, MiB or GiB.

SIGTERM and SIGINT shut the server down gracefully; a second signal exits immediately. SIGHUP
reloads certificates and policy immediately; the server also reloads them when they change.`;

/** `coffer serve`. */
export function addServe(program: Command, world: World): void {
  const command = program.command("serve").description("Run the server.").addHelpText("after", NOTES);
  addOptions(command, serveOptions);
  command.action(async () => {
    const [{ requireSqlite }, { runServer }] = await Promise.all([
      import("../require-sqlite.ts"),
      import("../serving.ts"),
    ]);
    await requireSqlite();
    await runServer(givenFlags(command.opts(), serveOptions), world);
  });
}

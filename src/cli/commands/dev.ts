import { relative } from "node:path";
import type { Command } from "commander";
import type { ListenAddress } from "../../transport/listen-address.ts";
import { readRunningConfig } from "../../app/config-serve.ts";
import { type Development, prepareDevelopment } from "../../app/dev.ts";
import { runningOptions } from "../../app/serve-options.ts";
import { systemClock } from "../../domain/clock.ts";
import { devSession } from "../dev-session.ts";
import { machineMemory } from "../machine-memory.ts";
import { addOptions, givenFlags } from "../option-flags.ts";
import { serveUntilStopped } from "../serving.ts";
import { write } from "../terminal.ts";
import type { World } from "../world.ts";

/** `coffer dev`. */
export function addDev(program: Command, world: World): void {
  const command = program
    .command("dev")
    .summary("run a server for development, with nothing to configure")
    .description(
      "Run a server for development, with nothing to configure. Certificates are made in certs/dev, data, root key and " +
        "policy in .coffer, all in the current folder, and all kept for the next time. Prints lines to paste.",
    );
  addOptions(command, runningOptions);
  command.action(async () => {
    const running = readRunningConfig(givenFlags(command.opts(), runningOptions), world.env, machineMemory());
    const development = prepareDevelopment({ ...running, folder: "", clock: systemClock });
    await serveUntilStopped(development.config, world, (server) =>
      write(world.stdout, session(development, server.addresses, world)),
    );
  });
}

function session({ config, minted }: Development, addresses: readonly ListenAddress[], world: World): string {
  const address = addresses.find((candidate) => candidate.kind === "tcp");
  if (address === undefined) return "\n";
  const program = `node ${shellWord(relative(world.cwd(), world.argv[1]!))}`;
  return devSession({ address, minted, program, policy: config.policy! });
}

/** As one word for sh. */
function shellWord(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

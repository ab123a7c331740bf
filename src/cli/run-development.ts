import { relative } from "node:path";
import type { GivenFlags } from "../config/option.ts";
import { readRunningConfig } from "../config/read-serve-config.ts";
import { type Development, prepareDevelopment } from "../app/prepare-development.ts";
import { systemClock } from "../domain/timers.ts";
import { shellWord } from "../domain/shell-word.ts";
import type { ListenAddress } from "../admission/listener.ts";
import { devSession } from "./dev-session.ts";
import { thisMachine } from "../process/machine.ts";
import { serveUntilStopped } from "./serving.ts";
import { write } from "./output.ts";
import type { World } from "../process/world.ts";

/** Runs `coffer dev`: prepares certificates, data, root key and policy, then serves until a signal. */
export async function runDevelopment(flags: GivenFlags, world: World): Promise<void> {
  const running = readRunningConfig(flags, world.env, thisMachine());
  const development = prepareDevelopment({ ...running, folder: "", clock: systemClock });
  await serveUntilStopped(development.config, world, (server) =>
    write(world.stdout, session(development, server.addresses, world)),
  );
}

/**
 * The commands to print. Empty for a server that listens only on unix sockets, because the printed commands need a TCP
 * address: grpcurl verifies a host name.
 */
function session({ minted, policy }: Development, addresses: readonly ListenAddress[], world: World): string {
  const address = addresses.find((candidate) => candidate.kind === "tcp");
  if (address === undefined) return "";
  const [, script = ""] = world.argv;
  const program = `node ${shellWord(relative(world.cwd(), script))}`;
  return devSession({ address, minted, program, policy });
}

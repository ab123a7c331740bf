import type { Command } from "commander";
import type { CofferClient } from "../client/coffer-client.ts";
import { processTimers } from "../domain/timers.ts";
import { connectionOptions } from "./connection-options.ts";
import { addOptions, givenFlags } from "./option-flags.ts";
import { write } from "./output.ts";
import { describeUnknown, unknownVariables } from "./unknown-variables.ts";
import type { World } from "../process/world.ts";

/** What a command does with the server. */
export type ClientAction = (client: CofferClient, command: Command) => Promise<void>;

/**
 * Adds the connection options to `command` and makes it run `action` with a client. The client is closed afterwards.
 */
export function callsServer(command: Command, world: World, action: ClientAction): void {
  addOptions(command, connectionOptions);
  command.action(() => askServer(command, world, (client) => action(client, command)));
}

/** Calls `ask` with a client that is configured by the options of `command`. The client is closed when this settles. */
export async function askServer<Answer>(
  command: Command,
  world: World,
  ask: (client: CofferClient) => Promise<Answer>,
): Promise<Answer> {
  await warnOfUnknownVariables(world);
  // Loaded on demand: the client and gRPC are most of the code that a command loads, and its help text needs neither.
  const { readConnection, withClient } = await import("./client-connection.ts");
  const connection = readConnection(givenFlags(command.opts(), connectionOptions), world.env);
  return withClient(connection, processTimers, ask);
}

/**
 * Writes a warning for each COFFER_ variable that no command reads. It is probably mistyped, so the default applies.
 */
export async function warnOfUnknownVariables({ env, stderr }: Pick<World, "env" | "stderr">): Promise<void> {
  const unknown = await unknownVariables(env);
  for (const variable of unknown) await write(stderr, `coffer warning: ${describeUnknown(variable)}\n`);
}

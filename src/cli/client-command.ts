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

/** Gives `command` the options of a connection, and runs `action` with a client that is closed in the end. */
export function callsServer(command: Command, world: World, action: ClientAction): void {
  addOptions(command, connectionOptions);
  command.action(() => askServer(command, world, (client) => action(client, command)));
}

/** Calls `ask` with a client by the options that `command` was given. The client is closed when this settles. */
export async function askServer<Answer>(
  command: Command,
  world: World,
  ask: (client: CofferClient) => Promise<Answer>,
): Promise<Answer> {
  await warnOfUnknownVariables(world);
  // The client and gRPC are the larger part of what a command loads, and its help needs neither.
  const { readConnection, withClient } = await import("./client-connection.ts");
  const connection = readConnection(givenFlags(command.opts(), connectionOptions), world.env);
  return withClient(connection, processTimers, ask);
}

/** Writes a line for each COFFER_ variable that no command reads: it is probably mistyped, and the default is in force. */
export async function warnOfUnknownVariables({ env, stderr }: Pick<World, "env" | "stderr">): Promise<void> {
  const unknown = await unknownVariables(env);
  for (const variable of unknown) await write(stderr, `coffer warning: ${describeUnknown(variable)}\n`);
}

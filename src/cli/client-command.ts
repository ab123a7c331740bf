import type { Command } from "commander";
import type { CofferClient } from "../client/coffer-client.ts";
import { processTimers } from "../domain/timers.ts";
import { addOptions, givenFlags } from "./option-flags.ts";
import { connectionOptions, readConnection, withClient } from "./connection.ts";
import type { World } from "./world.ts";

/** What a command does with the server. */
export type ClientAction = (client: CofferClient, command: Command) => Promise<void>;

/** Gives `command` the options of a connection, and runs `action` with a client that is closed in the end. */
export function callsServer(command: Command, world: World, action: ClientAction): void {
  addOptions(command, connectionOptions);
  command.action(() => askServer(command, world, (client) => action(client, command)));
}

/** Calls `ask` with a client by the options that `command` was given. The client is closed when this settles. */
export function askServer<Answer>(
  command: Command,
  world: World,
  ask: (client: CofferClient) => Promise<Answer>,
): Promise<Answer> {
  const connection = readConnection(givenFlags(command.opts(), connectionOptions), world.env);
  return withClient(connection, processTimers, ask);
}

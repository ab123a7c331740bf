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
  command.action(async () => {
    const connection = readConnection(givenFlags(command.opts(), connectionOptions), world.env);
    await withClient(connection, processTimers, (client) => action(client, command));
  });
}

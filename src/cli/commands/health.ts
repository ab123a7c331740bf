import type { Command } from "commander";
import { addOutputOption, printAnswer } from "../answer-output.ts";
import { callsServer } from "../client-command.ts";
import { CommandFailed } from "../command-failed.ts";
import type { World } from "../../process/world.ts";

/** `coffer health`. */
export function addHealth(program: Command, world: World): void {
  const command = program
    .command("health [service]")
    .description("Check whether the server is serving, with grpc.health.v1. Exits with 0 only if it is.");
  addOutputOption(command);
  callsServer(command, world, async (client) => {
    const status = await client.health(command.processedArgs[0]);
    if (status !== "SERVING") throw new CommandFailed("unavailable", `the server reports ${status}`);
    await printAnswer(command, world, { status }, () => `${status}\n`);
  });
}

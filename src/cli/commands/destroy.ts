import type { Command } from "commander";
import type { World } from "../../process/world.ts";
import { addVersionsCommand } from "../versions-command.ts";

/** `coffer destroy`. */
export function addDestroy(program: Command, world: World): void {
  addVersionsCommand(program, world, {
    kind: "destroy",
    isRemoval: true,
    description:
      "Remove the content of versions permanently, of the latest one by default. When the command ends, the content is gone " +
      "from the server's memory and disk. describe still lists the versions, as DESTROYED. Asks for a confirmation.",
    done: "destroyed",
    idle: "already destroyed or expired",
    isFinal: true,
  });
}

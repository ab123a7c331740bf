import type { Command } from "commander";
import type { World } from "../../process/world.ts";
import { addVersionsCommand } from "../versions-command.ts";

/** `coffer delete`. */
export function addDelete(program: Command, world: World): void {
  addVersionsCommand(program, world, {
    kind: "delete",
    isRemoval: true,
    description:
      "Delete versions of a secret, the latest by default. An older version does not become the latest: while the latest " +
      "version is deleted, get fails with not found until the next put. Deleting a deleted version changes nothing. " +
      "undelete makes a deleted version readable again.",
    done: "deleted",
    idle: "already deleted",
  });
}

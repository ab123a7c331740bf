import type { Command } from "commander";
import type { World } from "../../process/world.ts";
import { addVersionsCommand } from "../versions-command.ts";

/** `coffer undelete`. */
export function addUndelete(program: Command, world: World): void {
  addVersionsCommand(program, world, {
    kind: "undelete",
    description:
      "Make deleted versions of a secret readable again, the latest by default. A destroyed or expired version can't be " +
      "undeleted. Undeleting a version that is not deleted changes nothing.",
    done: "undeleted",
    idle: "not deleted",
  });
}

import type { Command } from "commander";
import { addOutputOption, printAnswer } from "../answer-output.ts";
import type { World } from "../../process/world.ts";

/** `coffer root-key`. */
export function addRootKey(program: Command, world: World): void {
  const command = program
    .command("root-key")
    .description(
      "Create the key that encrypts a store: 32 random bytes in hex, in a new file that only you can read. Keep a copy of " +
        "it, away from the data and its backups: without the key they can't be read, and anyone with it can read them.",
    )
    .requiredOption("--out <file>", "the new file; an existing file is never overwritten");
  addOutputOption(command).action(async ({ out }: { readonly out: string }) => {
    const { makeRootKey } = await import("../../persistence/root-key-file.ts");
    makeRootKey(out);
    await printAnswer(command, world, { created: out }, () => `created ${out}\n`);
  });
}

import type { Command } from "commander";
import { write } from "../output.ts";
import type { World } from "../../process/world.ts";

/** `coffer root-key`. */
export function addRootKey(program: Command, world: World): void {
  program
    .command("root-key")
    .description(
      "Make the key that seals a store: 32 random bytes in hex, in a new file that only you can read. Keep a copy of it " +
        "apart from the data and from its backups: without it they can't be read, and with it anybody can read them.",
    )
    .requiredOption("--out <file>", "the file; it is never overwritten")
    .action(async ({ out }: { readonly out: string }) => {
      const { makeRootKey } = await import("../../persistence/root-key-file.ts");
      makeRootKey(out);
      await write(world.stdout, `made ${out}\n`);
    });
}

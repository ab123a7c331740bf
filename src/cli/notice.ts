import type { World } from "../process/world.ts";
import { write } from "./output.ts";
import { printable } from "./printable.ts";

/**
 * Writes a text to standard error while a command runs: one line for each line of the text. A closed standard error is
 * ignored, because it must not end the command.
 */
export function notify({ stderr }: Pick<World, "stderr">, text: string): void {
  const lines = text.split("\n").map((line) => `coffer: ${printable(line)}\n`);
  write(stderr, lines.join("")).catch(() => {});
}

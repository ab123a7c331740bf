import { Command } from "commander";
import type { GivenFlags } from "../../src/config/option.ts";
import { serveOptions } from "../../src/config/serve-options.ts";
import { addOptions, givenFlags } from "../../src/cli/option-flags.ts";

/** Parses the arguments after `serve` with the program's own parser. Throws at an unknown argument. */
export function serveFlags(arguments_: readonly string[]): GivenFlags {
  const command = addOptions(new Command().exitOverride().configureOutput({ writeErr: () => {} }), serveOptions);
  command.parse(arguments_, { from: "user" });
  return givenFlags(command.opts(), serveOptions);
}

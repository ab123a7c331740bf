import { Command } from "commander";
import { release } from "../app/release.ts";
import { addDelete } from "./commands/delete.ts";
import { addDescribe } from "./commands/describe.ts";
import { addDev } from "./commands/dev.ts";
import { addDevPki } from "./commands/dev-pki.ts";
import { addGet } from "./commands/get.ts";
import { addHealth } from "./commands/health.ts";
import { addList } from "./commands/list.ts";
import { addPolicy } from "./commands/policy.ts";
import { addPut } from "./commands/put.ts";
import { addRootKey } from "./commands/root-key.ts";
import { addRun } from "./commands/run.ts";
import { addServe } from "./commands/serve.ts";
import { complaint } from "./complaint.ts";
import { ExitCode, exitCodeOf } from "./exit-code.ts";
import { write } from "./terminal.ts";
import type { World } from "./world.ts";

const EXIT_CODES = `
Exit codes: 0 ok, 1 other, 2 wrong usage or request, 3 not found, 4 denied, 5 conflict,
6 unavailable, 7 identity, 8 unknown: a put or delete may have been applied.`;

/** Runs one command to its end; resolves to what the process exits with. `arguments_` are those behind the program. */
export async function run(arguments_: readonly string[], world: World): Promise<number> {
  try {
    await createProgram(world).parseAsync(arguments_, { from: "user" });
    return ExitCode.ok;
  } catch (error) {
    await write(world.stderr, complaint(error));
    return exitCodeOf(error);
  }
}

function createProgram(world: World): Command {
  const program = new Command("coffer")
    .description("Keeps secrets for workloads that have a SPIFFE identity.")
    .version(release())
    .addHelpText("after", EXIT_CODES)
    .showHelpAfterError("--help says more.")
    // Otherwise --version behind a command would be the program's and not the secret's.
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => world.stdout.write(text),
      writeErr: (text) => world.stderr.write(text),
    });
  // Commands inherit the settings above, so they come after them.
  for (const add of COMMANDS) add(program, world);
  return program;
}

// Commands that need more than a client import it when they run: the packages of the server, two of them native, take
// three times as long to load as those of a client, which scripts call again and again.
const COMMANDS: readonly ((program: Command, world: World) => void)[] = [
  addServe,
  addPut,
  addGet,
  addDelete,
  addList,
  addDescribe,
  addRun,
  addHealth,
  addPolicy,
  addRootKey,
  addDevPki,
  addDev,
];

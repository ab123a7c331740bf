import { CommanderError } from "commander";
import { createProgram } from "./command-tree.ts";
import { OutputFailed, write } from "./output.ts";
import type { World } from "../process/world.ts";

/** The status that shells report for a program that SIGPIPE has ended (128 + 13). */
const ENDED_BY_SIGPIPE = 141;

/** Runs one command. Resolves to the exit code of the process. `arguments_` are the words after the program name. */
export async function run(arguments_: readonly string[], world: World): Promise<number> {
  try {
    if (arguments_[0] === "-v" || arguments_[0] === "--version") await showVersion(world);
    else await (await createProgram(arguments_, world)).parseAsync(arguments_, { from: "user" });
    return 0;
  } catch (error) {
    // Commander has already printed its message. It also throws after --help.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    return end(error, world);
  }
}

async function showVersion(world: World): Promise<void> {
  const { version } = await import("./version.ts");
  await write(world.stdout, version(world.version));
}

/**
 * Prints why a command has failed. A command that succeeds does not load the modules that this function imports.
 */
async function end(error: unknown, world: World): Promise<number> {
  // A C program ends silently by SIGPIPE when its reader closes the pipe. Node ignores SIGPIPE, so this imitates it.
  if (error instanceof OutputFailed && error.isBrokenPipe) return ENDED_BY_SIGPIPE;
  const [{ errorText }, { exitCodeOf }] = await Promise.all([import("./error-text.ts"), import("./exit-code.ts")]);
  await write(world.stderr, errorText(error)).catch(() => {});
  return exitCodeOf(error);
}

import { CommanderError } from "commander";
import { createProgram } from "./command-tree.ts";
import { OutputFailed, write } from "./output.ts";
import type { World } from "../process/world.ts";

/** What shells report of a program that SIGPIPE has ended (128 + 13). */
const ENDED_BY_SIGPIPE = 141;

/** Runs one command to its end; resolves to what the process exits with. `arguments_` are those behind the program. */
export async function run(arguments_: readonly string[], world: World): Promise<number> {
  try {
    if (arguments_[0] === "-v" || arguments_[0] === "--version") await showVersion(world);
    else await (await createProgram(arguments_, world)).parseAsync(arguments_, { from: "user" });
    return 0;
  } catch (error) {
    // Commander has written its own message. It throws after --help as well.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    return end(error, world);
  }
}

async function showVersion(world: World): Promise<void> {
  const { version } = await import("./version.ts");
  await write(world.stdout, version(world.version));
}

/** Says why a command has failed. What that needs is loaded here: a command that succeeds does without. */
async function end(error: unknown, world: World): Promise<number> {
  // Programs in C end without a word when their reader leaves. Node ignores the signal that ends them.
  if (error instanceof OutputFailed && error.isBrokenPipe) return ENDED_BY_SIGPIPE;
  const [{ complaint }, { exitCodeOf }] = await Promise.all([import("./complaint.ts"), import("./exit-code.ts")]);
  await write(world.stderr, complaint(error)).catch(() => {});
  return exitCodeOf(error);
}

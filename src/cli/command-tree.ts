import { Command } from "commander";
import type { World } from "../process/world.ts";

/** Adds one command to the program. `tree` makes a program with every command, for those that speak of the others. */
type AddCommand = (program: Command, world: World, tree: () => Promise<Command>) => void;

/** What the list of commands says of a command, and how its module is loaded. */
interface CommandEntry {
  readonly summary: string;
  readonly load: () => Promise<AddCommand>;
}

/** Every command, in the order of the help text. A module is loaded when its command is run or described. */
const COMMANDS: Readonly<Record<string, CommandEntry>> = {
  serve: { summary: "run the server", load: async () => (await import("./commands/serve.ts")).addServe },
  put: { summary: "write a new version of a secret", load: async () => (await import("./commands/put.ts")).addPut },
  get: { summary: "read a secret, or one value of it", load: async () => (await import("./commands/get.ts")).addGet },
  delete: {
    summary: "delete versions of a secret",
    load: async () => (await import("./commands/delete.ts")).addDelete,
  },
  list: { summary: "list secrets", load: async () => (await import("./commands/list.ts")).addList },
  describe: {
    summary: "show the versions of a secret, without values",
    load: async () => (await import("./commands/describe.ts")).addDescribe,
  },
  run: {
    summary: "run a command with secrets in its environment",
    load: async () => (await import("./commands/run.ts")).addRun,
  },
  health: {
    summary: "ask the server whether it takes calls",
    load: async () => (await import("./commands/health.ts")).addHealth,
  },
  status: {
    summary: "show what an operator asks first of a server",
    load: async () => (await import("./commands/status.ts")).addStatus,
  },
  policy: {
    summary: "check a policy file, without a server",
    load: async () => (await import("./commands/policy.ts")).addPolicy,
  },
  "root-key": {
    summary: "make the key that seals a store",
    load: async () => (await import("./commands/root-key.ts")).addRootKey,
  },
  "dev-pki": {
    summary: "make certificates for development",
    load: async () => (await import("./commands/dev-pki.ts")).addDevPki,
  },
  dev: {
    summary: "run a server for development, with nothing to configure",
    load: async () => (await import("./commands/dev.ts")).addDev,
  },
  completion: {
    summary: "print a script that completes command lines",
    load: async () => (await import("./commands/completion.ts")).addCompletion,
  },
};

const EXIT_CODES = `
Exit codes: 0 ok, 1 other, 2 wrong usage or request, 3 not found, 4 denied, 5 conflict,
6 unavailable, 7 identity, 8 unknown: a put or delete may have been applied.`;

/**
 * The program for one command line. Of the commands, those that the line names are complete; of the others there is what
 * the list of commands needs. `get` then loads neither the server nor SQLite, and `--help` no command at all.
 */
export function createProgram(arguments_: readonly string[], world: World): Promise<Command> {
  const named = arguments_.slice(0, 2);
  return assemble((name) => named.includes(name), world);
}

async function assemble(isNeeded: (name: string) => boolean, world: World): Promise<Command> {
  const program = bareProgram(world);
  const tree = () => assemble(() => true, world);
  // Commands inherit the settings of the program, so they come after them.
  for (const [name, { summary, load }] of Object.entries(COMMANDS)) {
    if (isNeeded(name)) (await load())(program, world, tree);
    else program.command(name);
    program.commands.at(-1)?.summary(summary);
  }
  return program;
}

function bareProgram(world: World): Command {
  return (
    new Command("coffer")
      .description("Keeps secrets for workloads that have a SPIFFE identity.")
      .option("-v, --version", "show the release, its commit, Node and SQLite")
      .addHelpText("after", EXIT_CODES)
      .showHelpAfterError("--help says more.")
      // The list of commands shows names. What each takes is in its own help.
      .configureHelp({ subcommandTerm: (command) => command.name() })
      // Otherwise --version behind a command would be the program's and not the secret's.
      .enablePositionalOptions()
      .exitOverride()
      .configureOutput({
        writeOut: (text) => world.stdout.write(text),
        writeErr: (text) => world.stderr.write(text),
      })
  );
}

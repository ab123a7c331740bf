import { Command } from "commander";
import type { World } from "../process/world.ts";

/** Adds one command to the program. `tree` creates a program with all commands, for commands that list the others. */
type AddCommand = (program: Command, world: World, tree: () => Promise<Command>) => void;

/** A command's line in the list of commands, and how to load its module. */
interface CommandEntry {
  readonly summary: string;
  readonly load: () => Promise<AddCommand>;
}

/** All commands, in the order of the help text. A module is loaded when its command is run or its help is shown. */
const COMMANDS: Readonly<Record<string, CommandEntry>> = {
  serve: { summary: "run the server", load: async () => (await import("./commands/serve.ts")).addServe },
  put: { summary: "write a new version of a secret", load: async () => (await import("./commands/put.ts")).addPut },
  get: { summary: "read secrets, or values of one", load: async () => (await import("./commands/get.ts")).addGet },
  patch: {
    summary: "change some keys of a secret",
    load: async () => (await import("./commands/patch.ts")).addPatch,
  },
  edit: {
    summary: "edit a secret in your editor",
    load: async () => (await import("./commands/edit.ts")).addEdit,
  },
  delete: {
    summary: "delete versions of a secret",
    load: async () => (await import("./commands/delete.ts")).addDelete,
  },
  undelete: {
    summary: "make deleted versions readable again",
    load: async () => (await import("./commands/undelete.ts")).addUndelete,
  },
  destroy: {
    summary: "remove the content of versions permanently",
    load: async () => (await import("./commands/destroy.ts")).addDestroy,
  },
  restore: {
    summary: "write a new version with the content of an older one",
    load: async () => (await import("./commands/restore.ts")).addRestore,
  },
  cp: {
    summary: "copy a secret",
    load: async () => (await import("./commands/cp.ts")).addCp,
  },
  mv: {
    summary: "move a secret",
    load: async () => (await import("./commands/mv.ts")).addMv,
  },
  purge: {
    summary: "remove a secret with all its versions permanently",
    load: async () => (await import("./commands/purge.ts")).addPurge,
  },
  commit: {
    summary: "make several changes, all of them or none",
    load: async () => (await import("./commands/commit.ts")).addCommit,
  },
  list: { summary: "list secrets", load: async () => (await import("./commands/list.ts")).addList },
  describe: {
    summary: "show the versions of a secret, without values",
    load: async () => (await import("./commands/describe.ts")).addDescribe,
  },
  diff: {
    summary: "show which keys differ between two versions",
    load: async () => (await import("./commands/diff.ts")).addDiff,
  },
  metadata: {
    summary: "show or change the settings of a secret",
    load: async () => (await import("./commands/metadata.ts")).addMetadata,
  },
  watch: {
    summary: "print each change of secrets",
    load: async () => (await import("./commands/watch.ts")).addWatch,
  },
  run: {
    summary: "run a command with secrets in its environment",
    load: async () => (await import("./commands/run.ts")).addRun,
  },
  agent: {
    summary: "keep secrets in files, and act when they change",
    load: async () => (await import("./commands/agent.ts")).addAgent,
  },
  health: {
    summary: "check whether the server is serving",
    load: async () => (await import("./commands/health.ts")).addHealth,
  },
  status: {
    summary: "show the state of a server on this machine",
    load: async () => (await import("./commands/status.ts")).addStatus,
  },
  policy: {
    summary: "check a policy file, without a server",
    load: async () => (await import("./commands/policy.ts")).addPolicy,
  },
  "root-key": {
    summary: "create the root key, which encrypts a store",
    load: async () => (await import("./commands/root-key.ts")).addRootKey,
  },
  "dev-pki": {
    summary: "create certificates for development",
    load: async () => (await import("./commands/dev-pki.ts")).addDevPki,
  },
  dev: {
    summary: "run a server for development, without configuration",
    load: async () => (await import("./commands/dev.ts")).addDev,
  },
  completion: {
    summary: "print a shell completion script",
    load: async () => (await import("./commands/completion.ts")).addCompletion,
  },
};

const EXIT_CODES = `
Exit codes: 0 ok, 1 other error, 2 invalid usage or request, 3 not found, 4 denied, 5 conflict,
6 unavailable, 7 identity, 8 outcome unknown: a change may have been applied.`;

/**
 * The program for one command line. Only the commands that the line names are complete; the others have only their name
 * and summary. So `get` loads neither the server nor SQLite, and `--help` loads no command at all.
 */
export function createProgram(arguments_: readonly string[], world: World): Promise<Command> {
  const named = arguments_.slice(0, 2);
  return assemble((name) => named.includes(name), world);
}

async function assemble(isNeeded: (name: string) => boolean, world: World): Promise<Command> {
  const program = bareProgram(world);
  const tree = () => assemble(() => true, world);
  // A command copies the settings of the program when it is added, so the settings come first.
  for (const [name, { summary, load }] of Object.entries(COMMANDS)) {
    if (isNeeded(name)) (await load())(program, world, tree);
    else program.command(name);
    program.commands.at(-1)?.summary(summary);
  }
  return program;
}

/**
 * Shortens commander's `option '--version <n>' argument 'x' is invalid. invalid number "x": …`. The part that is kept
 * comes from the parsers of config/value.ts, which name the value with control characters escaped.
 */
function withoutRepetition(usageError: string): string {
  return usageError.replace(/^(error: option '[^']*') argument '.*' is invalid\. /s, "$1: ");
}

function bareProgram(world: World): Command {
  return (
    new Command("coffer")
      .description("A secrets store for workloads with a SPIFFE identity.")
      .option("-v, --version", "print the release, its commit, and the versions of Node and SQLite")
      .addHelpText("after", EXIT_CODES)
      .showHelpAfterError("Use --help for usage.")
      // The list of commands shows only names. The help of each command shows its arguments.
      .configureHelp({ subcommandTerm: (command) => command.name() })
      // Without this, --version after a command would be read as the program's option, not as the version of a secret.
      .enablePositionalOptions()
      .exitOverride()
      .configureOutput({
        writeOut: (text) => world.stdout.write(text),
        writeErr: (text) => world.stderr.write(text),
        outputError: (text, write) => write(withoutRepetition(text)),
      })
  );
}

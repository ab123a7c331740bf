import type { Command } from "commander";
import { parseUint32 } from "../config/value.ts";
import type { World } from "../process/world.ts";
import { addExpectedVersion, addVersions, addYes, changesStore } from "./change-command.ts";
import { parsed } from "./parsed.ts";
import { versionList } from "./version-text.ts";

/** A command that changes the state of versions. */
interface VersionsCommand {
  /** The name of the command, and of the method of the client. */
  readonly kind: "delete" | "undelete" | "destroy";
  readonly description: string;
  /** What happened to the versions, such as "deleted". */
  readonly done: string;
  /** Why no version was changed, such as "already deleted". */
  readonly idle: string;
  /** Whether the change can't be undone, so that the command asks first. */
  readonly isFinal?: boolean;
  /** Whether the change removes versions, so that it can require that no watcher uses them. */
  readonly isRemoval?: boolean;
}

interface VersionsFlags {
  readonly versions?: readonly number[];
  readonly yes?: boolean;
  readonly requireConverged?: boolean;
  readonly minWatchers?: number;
}

/** Adds a command that changes the state of versions, by default of the newest one. */
export function addVersionsCommand(
  program: Command,
  world: World,
  { kind, description, done, idle, isFinal = false, isRemoval = false }: VersionsCommand,
): void {
  const command = program.command(`${kind} <path>`).description(description);
  addExpectedVersion(addVersions(command), "this is the latest version");
  if (isRemoval) addConvergence(command);
  if (isFinal) addYes(command);
  changesStore(command, world, {
    run: async ({ client, options, attempt }) => {
      const [path] = command.processedArgs as [string];
      const { versions, yes, requireConverged, minWatchers } = command.opts<VersionsFlags>();
      if (isFinal) {
        const { confirm } = await import("./confirmation.ts");
        await confirm(`${kind} ${versionList(versions)} of ${path}`, { yes }, world);
      }
      const demand = {
        ...(requireConverged && { requireConverged }),
        ...(minWatchers !== undefined && { minWatchers }),
      };
      return attempt(() => client[kind](path, { ...options, versions, ...demand }));
    },
    show: ({ path, versions }) =>
      `${path} ${done} ${versions.length === 0 ? `nothing: ${idle}` : `version ${versions.join(", ")}`}\n`,
  });
}

function addConvergence(command: Command): void {
  command.option("--require-converged", "only if every watcher uses the newest version");
  command.option(
    "--min-watchers <n>",
    "with --require-converged: and only if there are at least this many",
    parsed(parseUint32),
  );
}

import type { Command } from "commander";
import type { SecretDescription } from "../../client/description.ts";
import { type VersionDescription, VersionState } from "../../contract/messages.ts";
import type { World } from "../../process/world.ts";
import { addOutputOption, printAnswer } from "../answer-output.ts";
import { callsServer } from "../client-command.ts";
import { convergenceText, namedConvergence } from "../convergence-text.ts";
import { showTime, table } from "../printable.ts";
import { reading } from "../reading.ts";
import { shownSettings } from "../secret-settings.ts";
import { stateName } from "../version-text.ts";

/** `coffer describe`. */
export function addDescribe(program: Command, world: World): void {
  const command = program
    .command("describe <path>")
    .description(
      "Show the settings and the versions of a secret: their state, and who created, deleted and destroyed them, and when; " +
        "and which version its watchers use. Shows no values.",
    );
  addOutputOption(command);
  callsServer(command, world, async (client) => {
    const description = await reading(world, () => client.describe(command.processedArgs[0] as string));
    const versions = description.versions.map(namedState);
    const convergence = description.convergence && namedConvergence(description.convergence);
    await printAnswer(command, world, { ...description, versions, convergence }, () => describeTable(description));
  });
}

function describeTable(description: SecretDescription): string {
  const { path, versions, latestVersion, maxVersions, convergence } = description;
  const heading = ["VERSION", "STATE", "CREATED", "CREATED BY", "EXPIRES", "CHANGED", "CHANGED BY"];
  const latest = latestVersion === 0 ? "no version" : `latest version ${latestVersion}`;
  // The first line has max-versions.
  const settings = shownSettings(description).filter(({ name, isSet }) => isSet && name !== "max-versions");
  return [
    `${path}: ${latest}, at most ${maxVersions} are retained\n`,
    ...(convergence === undefined ? [] : [convergenceText(convergence, latestVersion)]),
    table(settings.map(({ name, value }) => [name, value])),
    ...(versions.length === 0 ? [] : [table([heading, ...versions.map(versionRow)])]),
  ].join("");
}

function versionRow(version: VersionDescription): readonly string[] {
  const { time, by } = lastChange(version);
  return [
    String(version.version),
    stateName(version.state),
    showTime(version.createTime),
    version.createdBy,
    showTime(version.expireTime),
    showTime(time),
    by || "-",
  ];
}

/** When the version got its state, and who changed it; undefined for a live version. */
function lastChange({ state, deleteTime, deletedBy, destroyTime, destroyedBy, expireTime }: VersionDescription) {
  if (state === VersionState.deleted) return { time: deleteTime, by: deletedBy };
  if (state === VersionState.destroyed) return { time: destroyTime, by: destroyedBy };
  return { time: state === VersionState.expired ? expireTime : undefined, by: "" };
}

/** The version with the name of its state, and without deletedBy and destroyedBy if they are empty. */
function namedState({ state, deletedBy, destroyedBy, ...version }: VersionDescription) {
  return {
    ...version,
    state: stateName(state),
    ...(deletedBy && { deletedBy }),
    ...(destroyedBy && { destroyedBy }),
  };
}

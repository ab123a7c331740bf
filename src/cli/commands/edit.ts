import type { Command } from "commander";
import type { AddedVersion } from "../../contract/change-messages.ts";
import { ClientError } from "../../client/client-error.ts";
import type { Secret } from "../../client/read-secret.ts";
import type { World } from "../../process/world.ts";
import { CommandFailed } from "../command-failed.ts";
import { changesStore } from "../change-command.ts";
import { type ExpiryFlags, addExpiry, expiryOf } from "../expiry-options.ts";
import { write } from "../output.ts";
import { showTime } from "../printable.ts";
import { reading } from "../reading.ts";
import { differencesOf } from "../version-difference.ts";
import { showAdded } from "../version-text.ts";

const EDITOR = `
The editor is $VISUAL, otherwise $EDITOR, otherwise vi. An editor with its own window needs the
option with which it waits, such as code --wait. The file is in memory: in XDG_RUNTIME_DIR or
/dev/shm, which have to be tmpfs. It is removed before the new version is written. For Vim and Neovim,
swap files, backups, undo files and viminfo are switched off. Other editors may write copies of the
file elsewhere: check their settings.`;

/** `coffer edit`. */
export function addEdit(program: Command, world: World): void {
  const command = program
    .command("edit <path>")
    .description(
      "Edit the latest version of a secret, and write the result as a new version if no other version was written " +
        "meanwhile. If nothing was changed, no version is written.",
    )
    .addHelpText("after", EDITOR);
  addExpiry(command);
  changesStore<EditAnswer>(command, world, {
    run: async ({ client, options, attempt }) => {
      const [path] = command.processedArgs as [string];
      const expiry = expiryOf(command.opts<ExpiryFlags>());
      const secret = await reading(world, () => client.get(path));
      const { editContent } = await import("../edit/edit-session.ts");
      const content = await editContent(secret, world);
      if (differencesOf(secret.content.entries(), content.entries()).length === 0) return unchanged(secret);
      const call = { ...options, ...expiry, expectedVersion: secret.version };
      const added = await attempt(() => client.put(path, content, call)).catch(conflictOf(secret));
      await warnOfExpiry(secret, added, world);
      return { changed: true, ...added };
    },
    show: (answer) => (answer.changed ? showAdded(answer) : `${answer.path} is unchanged: version ${answer.version}\n`),
  });
}

/** Explains a conflict. The edited content is not kept, because that would leave a file with secret values. */
function conflictOf({ path, version }: Secret): (error: unknown) => never {
  return (error) => {
    if (!(error instanceof ClientError) || error.reason !== "VERSION_MISMATCH") throw error;
    const latest = error.metadata["latest_version"] ?? "another version";
    const hint = `see coffer diff ${path} ${version} ${latest}, and repeat coffer edit ${path}`;
    throw new CommandFailed(
      "conflict",
      `version ${latest} of ${path} was written while you edited version ${version}\n` +
        `nothing was changed, and your edit was not kept: ${hint}`,
    );
  };
}

/** What an edit did: the new version, or the old one if nothing was changed. */
type EditAnswer = AddedVersion & { readonly changed: boolean };

function unchanged({ path, version, revision, createTime, expireTime, storeRevision }: Secret): EditAnswer {
  return { changed: false, path, version, revision, createTime, expireTime, storeRevision };
}

/** As after a Patch or a Copy, the new version does not inherit the expiry of the previous one. */
async function warnOfExpiry({ version, expireTime }: Secret, added: AddedVersion, { stderr }: World): Promise<void> {
  if (expireTime === undefined || added.expireTime !== undefined) return;
  const text = `version ${version} expires at ${showTime(expireTime)}; version ${added.version} does not expire`;
  await write(stderr, `coffer warning: ${text}; use --ttl or --expire-time\n`);
}

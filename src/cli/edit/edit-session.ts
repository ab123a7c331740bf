import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Secret } from "../../client/read-secret.ts";
import type { Content } from "../../domain/content.ts";
import type { World } from "../../process/world.ts";
import { CommandFailed } from "../command-failed.ts";
import { askOnTerminal } from "../confirmation.ts";
import { formatForEditor, parseEdited } from "../document/edited-content.ts";
import { errorText } from "../error-text.ts";
import { write } from "../output.ts";
import { abortedBySignals } from "./ending-signals.ts";
import { runEditor } from "./editor.ts";
import { withMemoryFolder } from "./memory-folder.ts";

/**
 * Lets the user edit the content of a secret, in a file in memory. If the result can't be read, asks whether to edit it
 * again, so that no work is lost. The file is removed before this settles.
 */
export function editContent(secret: Secret, world: World): Promise<Content> {
  return abortedBySignals(world, (aborted) =>
    withMemoryFolder(world.env, async (folder) => {
      const file = join(folder, `${secret.path.replaceAll("/", "-").slice(-100)}.yaml`);
      await writeFile(file, formatForEditor(secret), { mode: 0o600 });
      for (;;) {
        await runEditor(file, world, aborted);
        try {
          return await parseEdited(await readFile(file), world);
        } catch (error) {
          if (!(error instanceof CommandFailed) || !(await editAgain(error, world, aborted))) throw error;
        }
      }
    }),
  );
}

async function editAgain(problem: CommandFailed, world: World, aborted: AbortSignal): Promise<boolean> {
  if (!world.stdin.isTTY || !world.stderr.isTTY) return false;
  await write(world.stderr, errorText(problem));
  return !/^\s*n/i.test(await askOnTerminal("Do you want to edit it again? [Y/n] ", world, aborted));
}

import { spawn } from "node:child_process";
import { realpathSync } from "node:fs";
import { basename, delimiter, join } from "node:path";
import type { Environment } from "../../config/option.ts";
import { spawnProblem } from "../../domain/spawn-problem.ts";
import type { World } from "../../process/world.ts";
import { CommandFailed } from "../command-failed.ts";

/**
 * Options of Vim and Neovim for a file that is secret: no swap file, no viminfo (which keeps registers), no backup and
 * no undo file. All of these may be on a disk.
 */
const VIM_OPTIONS = ["-n", "-i", "NONE", "-c", "silent! set nobackup nowritebackup noundofile"];

/** The command line of the editor: $VISUAL, otherwise $EDITOR, otherwise vi. The shell interprets it, as git does. */
export function editorOf(env: Environment): string {
  return env["VISUAL"] || env["EDITOR"] || "vi";
}

/** The options that make an editor write no copies of the file. Empty for editors that are not known. */
export function privacyOptions(editor: string, { PATH = "" }: Environment): readonly string[] {
  const [program = ""] = editor.trim().split(/\s+/);
  return /^(n?vim|gvim|vim\.\w+)$/.test(basename(resolved(program, PATH))) ? VIM_OPTIONS : [];
}

/** The file of a program without links: vi is often a link to Vim. */
function resolved(program: string, path: string): string {
  const candidates = program.includes("/") ? [program] : path.split(delimiter).map((folder) => join(folder, program));
  for (const candidate of candidates) {
    try {
      return realpathSync(candidate);
    } catch {
      // It is not in this folder.
    }
  }
  return program;
}

/**
 * Runs the editor on a file, with the standard streams of this process. Ends it when `aborted` is aborted, and then
 * rejects with the reason. Rejects with CommandFailed if the editor fails.
 */
export async function runEditor(file: string, { env }: Pick<World, "env">, aborted: AbortSignal): Promise<void> {
  aborted.throwIfAborted();
  const editor = editorOf(env);
  const words = [...privacyOptions(editor, env), file];
  const child = spawn("sh", ["-c", `${editor} "$@"`, editor, ...words], { env, stdio: "inherit" });
  const end = () => child.kill();
  aborted.addEventListener("abort", end);
  const problem = await new Promise<string | undefined>((resolve) => {
    child.once("error", (error) => resolve(`failed: ${spawnProblem("sh", error)}`));
    child.once("exit", (code, signal) => resolve(code === 0 ? undefined : `ended with ${signal ?? `status ${code}`}`));
  });
  aborted.removeEventListener("abort", end);
  aborted.throwIfAborted();
  if (problem !== undefined) throw new CommandFailed("other", `the editor ${editor} ${problem}; nothing was changed`);
}

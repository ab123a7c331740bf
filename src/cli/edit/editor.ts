import { spawn } from "node:child_process";
import { realpathSync } from "node:fs";
import { basename, delimiter, join } from "node:path";
import type { Environment } from "../../config/option.ts";
import type { World } from "../../process/world.ts";
import { CommandFailed } from "../command-failed.ts";
import { endedBy } from "../run/signal-relay.ts";

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

/** The signals that end this program. The terminal sends SIGINT and SIGQUIT also to the editor, which decides. */
const ENDING = ["SIGTERM", "SIGHUP"] as const;
const OF_TERMINALS = ["SIGINT", "SIGQUIT"] as const;

/**
 * Runs the editor on a file, with the standard streams of this process. Rejects with CommandFailed if the editor fails,
 * and with ExitStatus at SIGTERM and SIGHUP, which it passes on, so that the caller can remove the file.
 */
export async function runEditor(file: string, world: Pick<World, "env" | "on" | "off">): Promise<void> {
  const editor = editorOf(world.env);
  const words = [...privacyOptions(editor, world.env), file];
  const child = spawn("sh", ["-c", `${editor} "$@"`, editor, ...words], { env: world.env, stdio: "inherit" });
  const ignore = () => {};
  let ending: NodeJS.Signals | undefined;
  const end = (signal: NodeJS.Signals) => {
    ending = signal;
    child.kill(signal);
  };
  for (const signal of OF_TERMINALS) world.on(signal, ignore);
  for (const signal of ENDING) world.on(signal, end);
  try {
    const problem = await new Promise<string | undefined>((resolve) => {
      child.once("error", (error) => resolve(`can't be run: ${error.message}`));
      child.once("exit", (code, signal) =>
        resolve(code === 0 ? undefined : `ended with ${signal ?? `status ${code}`}`),
      );
    });
    if (ending !== undefined) throw endedBy(ending, `ended by ${ending}; nothing was changed`);
    if (problem !== undefined) throw new CommandFailed("other", `the editor ${editor} ${problem}; nothing was changed`);
  } finally {
    for (const signal of OF_TERMINALS) world.off(signal, ignore);
    for (const signal of ENDING) world.off(signal, end);
  }
}

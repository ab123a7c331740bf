import { Argument, type Command } from "commander";
import { completionScript, SHELLS, type Shell } from "../completion-script.ts";
import { write } from "../output.ts";
import type { World } from "../../process/world.ts";

const EXAMPLES = `
Add one of these lines to the startup file of your shell:
  source <(coffer completion bash)     # ~/.bashrc
  source <(coffer completion zsh)      # ~/.zshrc, after compinit
  coffer completion fish | source      # ~/.config/fish/config.fish`;

/** `coffer completion`. */
export function addCompletion(program: Command, world: World, tree: () => Promise<Command>): void {
  program
    .command("completion")
    .description("Print a completion script for your shell.")
    .addArgument(new Argument("<shell>", "the shell").choices(SHELLS))
    .addHelpText("after", EXAMPLES)
    .action(async (shell: Shell) => write(world.stdout, completionScript(await tree(), shell)));
}

import type { Command, Option } from "commander";

/** The shells for which there is a completion script. */
export const SHELLS = ["bash", "zsh", "fish"] as const;

export type Shell = (typeof SHELLS)[number];

/** A command and the words that may follow it. */
interface Completion {
  /** The words that name the command, such as ["policy", "check"]; empty for the program itself. */
  readonly words: readonly string[];
  readonly commands: readonly { readonly name: string; readonly summary: string }[];
  readonly options: readonly Option[];
  /** The possible values of its first argument, if they are a closed set. */
  readonly choices: readonly string[];
}

/** A script that makes the shell complete the commands and options of `program`, and values from closed sets. */
export function completionScript(program: Command, shell: Shell): string {
  const completions = completionsOf(program, []);
  return shell === "fish"
    ? fishScript(completions)
    : shell === "zsh"
      ? zshScript(completions)
      : bashScript(completions);
}

function completionsOf(command: Command, words: readonly string[]): Completion[] {
  const help = command.createHelp();
  const commands = help.visibleCommands(command).map((child) => ({ name: child.name(), summary: child.summary() }));
  const choices = command.registeredArguments[0]?.argChoices ?? [];
  const children = command.commands.flatMap((child) => completionsOf(child, [...words, child.name()]));
  return [{ words, commands, options: help.visibleOptions(command), choices }, ...children];
}

/** The case pattern of a command, for bash and zsh: its words, each after a space. */
const pattern = (words: readonly string[]) => `"${words.map((word) => ` ${word}`).join("")}"`;

const flagsOf = ({ short, long }: Option) => [short, long].filter((flag) => flag !== undefined);

/**
 * The part that bash and zsh share: a shell function that finds the command on the line and sets `candidates` to the
 * words that may follow. Its arguments are the words before the cursor, without the program name. After `--`, which
 * begins the command line of another program (`coffer run`), it sets no candidates.
 */
function candidateFunction(completions: readonly Completion[]): string {
  const commands = completions.filter(({ words }) => words.length > 0).map(({ words }) => pattern(words));
  const values = completions.flatMap(({ words, options }) =>
    options.flatMap((option) =>
      option.argChoices === undefined
        ? []
        : `    ${flagsOf(option)
            .map((flag) => pattern([...words, flag]))
            .join("|")}) candidates="${option.argChoices.join(" ")}" ;;\n`,
    ),
  );
  const words = completions.map(({ words, commands, options, choices }) => {
    const names = [...commands.map(({ name }) => name), ...choices, ...options.flatMap(flagsOf)];
    return `    ${pattern(words)}) candidates="${names.join(" ")}" ;;\n`;
  });
  return `_coffer_candidates() {
  local command="" previous="" word
  candidates=""
  for word in "$@"; do
    [ "$word" = -- ] && return
    case "$command $word" in
    ${commands.join("|")}) command="$command $word" ;;
    esac
    previous="$word"
  done
  case "$command $previous" in
${values.join("")}    *) case "$command" in
${words.join("")}    esac ;;
  esac
}
`;
}

function bashScript(completions: readonly Completion[]): string {
  return `# Completion of coffer for bash.
${candidateFunction(completions)}_coffer() {
  local candidates
  _coffer_candidates "\${COMP_WORDS[@]:1:COMP_CWORD-1}"
  COMPREPLY=($(compgen -W "$candidates" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _coffer coffer
`;
}

function zshScript(completions: readonly Completion[]): string {
  return `#compdef coffer
# Completion of coffer for zsh.
${candidateFunction(completions)}_coffer() {
  local candidates
  _coffer_candidates "\${(@)words[2,CURRENT-1]}"
  compadd -- \${=candidates}
  _files
}
compdef _coffer coffer
`;
}

function fishScript(completions: readonly Completion[]): string {
  const lines = completions.flatMap(({ words, commands, options, choices }) => {
    const when = `complete -c coffer -n ${quoted(fishCondition(words, commands))}`;
    return [
      ...commands.map(({ name, summary }) => `${when} -f -a ${quoted(name)} -d ${quoted(summary)}`),
      ...choices.map((choice) => `${when} -f -a ${quoted(choice)}`),
      ...options.map((option) => `${when} ${fishOption(option)}`),
    ];
  });
  return `# Completion of coffer for fish.\n${lines.join("\n")}\n`;
}

/** The fish condition that the words of this command have been typed, and none of its subcommands. */
function fishCondition(words: readonly string[], commands: Completion["commands"]): string {
  const typed = words.map((word) => `__fish_seen_subcommand_from ${word}`);
  const below = commands.map(({ name }) => name).join(" ");
  if (words.length === 0) return "__fish_use_subcommand";
  return [...typed, ...(below === "" ? [] : [`not __fish_seen_subcommand_from ${below}`])].join("; and ");
}

function fishOption({ short, long, required, argChoices, description }: Option): string {
  const flags = [short && `-s ${short.slice(1)}`, long && `-l ${long.slice(2)}`].filter((flag) => flag !== undefined);
  const value = argChoices === undefined ? (required ? " -r" : "") : ` -x -a ${quoted(argChoices.join(" "))}`;
  return `${flags.join(" ")}${value} -d ${quoted(description)}`;
}

/** Quotes text for fish. Within single quotes, fish treats only the quote and the backslash as special. */
function quoted(text: string): string {
  return `'${text.replace(/[\\']/g, "\\$&")}'`;
}

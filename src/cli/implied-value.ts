import type { Command } from "commander";

/**
 * Makes the bare `flag` mean `flag=value`. Commander would read the next word as its value, which is an argument of the
 * command. Words after `--` are not changed.
 */
export function implyValue(command: Command, flag: string, value: string): void {
  const parse = command.parseOptions.bind(command);
  command.parseOptions = (words) => {
    const end = words.includes("--") ? words.indexOf("--") : words.length;
    return parse(words.map((word, index) => (word === flag && index < end ? `${flag}=${value}` : word)));
  };
}

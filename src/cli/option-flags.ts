import { type Command, Option } from "commander";
import type { GivenFlags, OptionDefinition } from "../config/option.ts";

type Definitions = Readonly<Record<string, OptionDefinition>>;

/**
 * Adds options to a command. Their variables and defaults appear only in the help text. OptionReader applies them,
 * because it reports all problems together; commander would stop at the first.
 */
export function addOptions(command: Command, definitions: Definitions): Command {
  for (const definition of Object.values(definitions)) command.addOption(toOption(definition));
  return command;
}

function toOption({ flag, value, variable, repeatable, standard, description }: OptionDefinition): Option {
  const notes = [
    variable,
    ...(standard === undefined ? [] : [`default ${standard}`]),
    ...(repeatable ? ["repeatable"] : []),
  ];
  const option = new Option(`${flag} ${value}`.trim(), `${description} [${notes.join("; ")}]`);
  return repeatable ? option.argParser((text, before: string[] = []) => [...before, text]) : option;
}

/** The flags on the command line, by name. `parsed` is the result of commander. */
export function givenFlags(parsed: Readonly<Record<string, unknown>>, definitions: Definitions): GivenFlags {
  const flags = Object.values(definitions).map(({ flag }) => flag);
  return Object.fromEntries(flags.map((flag) => [flag, givenValue(parsed[new Option(flag).attributeName()])]));
}

function givenValue(parsed: unknown): string | undefined {
  return parsed === true ? "true" : (parsed as string | undefined);
}

import { InvalidArgumentError } from "commander";

/** Wraps a parser for commander: the message of its error becomes part of commander's usage error. */
export function parsed<T>(parse: (text: string) => T): (text: string) => T {
  return (text) => {
    try {
      return parse(text);
    } catch (error) {
      throw new InvalidArgumentError((error as Error).message);
    }
  };
}

/** Parses a list with commas. A repeated option appends to the list. */
export function listOf(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, ...text.split(",")];
}

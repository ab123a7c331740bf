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

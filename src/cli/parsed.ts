import { InvalidArgumentError } from "commander";

/** A parser of values as commander takes it: what is wrong becomes part of its usage message. */
export function parsed<T>(parse: (text: string) => T): (text: string) => T {
  return (text) => {
    try {
      return parse(text);
    } catch (error) {
      throw new InvalidArgumentError((error as Error).message);
    }
  };
}

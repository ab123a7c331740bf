import { InvalidArgumentError, type Option } from "commander";

/**
 * Makes `option` one that takes a format. `-o=json` is read as `-o json`: commander takes what follows a short option as
 * its value, the equals sign included.
 */
export function outputOption(option: Option, formats: readonly string[], standard?: string): Option {
  const takesChoice = standard === undefined ? option.choices(formats) : option.choices(formats).default(standard);
  return takesChoice.argParser((text: string) => {
    const format = text.replace(/^=/, "");
    if (!formats.includes(format)) throw new InvalidArgumentError(`Allowed choices are ${formats.join(", ")}.`);
    return format;
  });
}

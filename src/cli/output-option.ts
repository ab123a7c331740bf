import { InvalidArgumentError, type Option } from "commander";

/**
 * Restricts `option` to these formats. `-o=json` means the same as `-o json`: commander passes everything after a short
 * option as its value, including the equals sign.
 */
export function outputOption(option: Option, formats: readonly string[], standard?: string): Option {
  const takesChoice = standard === undefined ? option.choices(formats) : option.choices(formats).default(standard);
  return takesChoice.argParser((text: string) => {
    const format = text.replace(/^=/, "");
    if (!formats.includes(format))
      throw new InvalidArgumentError(`unknown format "${format}": expected ${formats.join(", ")}`);
    return format;
  });
}

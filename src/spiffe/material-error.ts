import { StartError } from "../domain/start-refused.ts";

/**
 * This process's own certificates, keys or bundles can't be used. Each problem is a sentence that states what is wrong
 * and where. None contains any part of a key.
 */
export class MaterialError extends StartError {
  override readonly name = "MaterialError";

  constructor(...problems: readonly string[]) {
    super(problems.join("\n"), { problems });
  }
}

/**
 * This process's own SVID has expired, or is not valid yet. Nothing else is wrong with it, so it is handled like an
 * SVID that has not arrived yet: the program that writes it will renew it.
 */
export class UntimelySvid extends MaterialError {}

/** Runs `read`. If it throws a MaterialError, adds its problems to `problems` and returns undefined. */
export function collect<T>(problems: string[], read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof MaterialError)) throw error;
    problems.push(...error.problems);
    return undefined;
  }
}

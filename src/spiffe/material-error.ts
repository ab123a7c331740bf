import { StartError } from "../domain/start-refused.ts";

/**
 * Certificates, keys or bundles of our own that can't be used. Each problem is a sentence that names what is wrong and
 * where; none shows any part of a key.
 */
export class MaterialError extends StartError {
  override readonly name = "MaterialError";

  constructor(...problems: readonly string[]) {
    super(problems.join("\n"), { problems });
  }
}

/**
 * An SVID of our own that has expired, or whose time has not come. Nothing is wrong with it but the time, so it counts as
 * one that has not arrived: its writer renews it.
 */
export class UntimelySvid extends MaterialError {}

/** Runs `read`; the problems of its MaterialError are added to `problems`, and it gives undefined. */
export function collect<T>(problems: string[], read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof MaterialError)) throw error;
    problems.push(...error.problems);
    return undefined;
  }
}

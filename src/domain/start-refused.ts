/** The options of a {@link StartError}. */
export interface StartErrorOptions extends ErrorOptions {
  /** One sentence for each problem. Default: the message. */
  readonly problems?: readonly string[];
}

/**
 * The base class of start errors that the operator can correct: a file, a folder, an address or an option. The modules
 * that open these extend this class, so that the command line recognizes such an error without loading those modules.
 */
export abstract class StartError extends Error {
  /** At least one sentence for the operator that says what to do. It never contains a secret. */
  readonly problems: readonly string[];

  constructor(message: string, { problems = [message], ...options }: StartErrorOptions = {}) {
    super(message, options);
    this.problems = problems;
  }
}

/** The server or the agent can't start with its configuration. */
export class StartRefused extends StartError {
  override readonly name = "StartRefused";

  constructor(problems: readonly string[], options?: ErrorOptions) {
    super(problems.join("; "), { problems, ...options });
  }
}

/** Converts any {@link StartError} to a {@link StartRefused}. Rethrows every other error, which is a bug in Coffer. */
export function asStartRefused(error: unknown): StartRefused {
  if (error instanceof StartRefused) return error;
  if (error instanceof StartError) return new StartRefused(error.problems, { cause: error });
  throw error;
}

/** What a {@link StartError} may carry beside its message. */
export interface StartErrorOptions extends ErrorOptions {
  /** Each problem as one sentence; the message alone by default. */
  readonly problems?: readonly string[];
}

/**
 * Something that the operator can correct keeps a server from starting: a file, a folder, an address or an option. Every
 * module that opens one of them extends this class, so that the command line knows such an error without loading them.
 */
export abstract class StartError extends Error {
  /** At least one sentence for the operator, which says what to do. None contains a secret. */
  readonly problems: readonly string[];

  constructor(message: string, { problems = [message], ...options }: StartErrorOptions = {}) {
    super(message, options);
    this.problems = problems;
  }
}

/** The server can't start as it is configured. */
export class StartRefused extends StartError {
  override readonly name = "StartRefused";

  constructor(problems: readonly string[], options?: ErrorOptions) {
    super(problems.join("; "), { problems, ...options });
  }
}

/** Makes a {@link StartRefused} of any {@link StartError}. Throws every other error again: it is a fault of the program. */
export function asStartRefused(error: unknown): StartRefused {
  if (error instanceof StartRefused) return error;
  if (error instanceof StartError) return new StartRefused(error.problems, { cause: error });
  throw error;
}

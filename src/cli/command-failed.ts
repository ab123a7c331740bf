/**
 * A command failed, or its answer is negative, for a reason other than an error from the server or a bug in Coffer. The
 * message is shown to the user without a stack.
 */
export class CommandFailed extends Error {
  override readonly name = "CommandFailed";
  /** Selects the exit code, by its name in {@link ExitCode}. */
  readonly outcome: "other" | "usage" | "notFound" | "denied" | "conflict" | "unavailable";

  constructor(outcome: CommandFailed["outcome"], message: string) {
    super(message);
    this.outcome = outcome;
  }
}

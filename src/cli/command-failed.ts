/** A command came to nothing, or its answer is no, for a reason that is neither the server's nor a fault of ours. */
export class CommandFailed extends Error {
  override readonly name = "CommandFailed";
  /** The name of the exit code. */
  readonly outcome: "other" | "usage" | "notFound" | "denied" | "unavailable";

  constructor(outcome: CommandFailed["outcome"], message: string) {
    super(message);
    this.outcome = outcome;
  }
}

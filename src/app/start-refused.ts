/** The server can't start as it is configured. Each problem is a sentence for the operator, with what mends it. */
export class StartRefused extends Error {
  override readonly name = "StartRefused";
  readonly problems: readonly string[];

  constructor(problems: readonly string[], options?: ErrorOptions) {
    super(problems.join("; "), options);
    this.problems = problems;
  }
}

/**
 * Ends the program with a status that is not one of its own exit codes: the status of the command that it ran, or the
 * status that shells use for a command that could not be run. With an empty message, nothing is printed.
 */
export class ExitStatus extends Error {
  override readonly name = "ExitStatus";
  /** 0 to 255. */
  readonly status: number;

  constructor(status: number, message = "", options?: ErrorOptions) {
    super(message, options);
    this.status = status;
  }
}

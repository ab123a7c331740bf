/**
 * The program ends with a status that is not one of its own: that of the command it has run, or the one that shells have
 * for a command that could not be run. Without a message there is nothing to say.
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

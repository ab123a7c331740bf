/** Lets one waiting loop continue. A call while the loop is not waiting is remembered, however many there are. */
export class WakeUp {
  #isDue = false;
  #continue: (() => void) | undefined;

  /** Lets the loop continue. */
  readonly call = (): void => {
    this.#isDue = true;
    this.#continue?.();
  };

  /** Resolves at once if there was a call since the last time, and otherwise at the next call. */
  async next(): Promise<void> {
    if (!this.#isDue) {
      await new Promise<void>((resolve) => {
        this.#continue = resolve;
      });
    }
    this.#continue = undefined;
    this.#isDue = false;
  }
}

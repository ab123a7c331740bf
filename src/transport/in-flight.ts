/** Counts the calls that are under way, so that a shutdown can refuse new ones and wait for the others. */
export class InFlight {
  #count = 0;
  #state: "open" | "draining" = "open";
  #whenIdle: (() => void)[] = [];

  /** A call begins; false when none may begin any more. */
  enter(): boolean {
    if (this.#state === "draining") return false;
    this.#count += 1;
    return true;
  }

  /** A call that had entered is answered. */
  leave(): void {
    this.#count -= 1;
    if (this.#count > 0) return;
    for (const resolve of this.#whenIdle.splice(0)) resolve();
  }

  /** Lets no call in any more; resolves when the last one is answered. */
  drain(): Promise<void> {
    this.#state = "draining";
    if (this.#count === 0) return Promise.resolve();
    return new Promise((resolve) => this.#whenIdle.push(resolve));
  }
}

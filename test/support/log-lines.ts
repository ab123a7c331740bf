import { Writable } from "node:stream";

/** A stream that keeps what is written to it. It can stop accepting data for a while, like a stalled reader. */
export class Lines extends Writable {
  #text = "";
  #stalled: (() => void) | "no" | "yes" = "no";

  /** The lines so far, parsed. */
  get all(): Record<string, unknown>[] {
    return this.raw.map((line) => JSON.parse(line));
  }

  /** The lines so far, as text. */
  get raw(): string[] {
    return this.#text.split("\n").slice(0, -1);
  }

  stall(): void {
    this.#stalled = "yes";
  }

  resume(): void {
    const waiting = this.#stalled;
    this.#stalled = "no";
    if (typeof waiting === "function") waiting();
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#text += chunk.toString();
    if (this.#stalled === "no") done();
    else this.#stalled = done;
  }
}

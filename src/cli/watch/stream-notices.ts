import type { SecretEvent } from "../../client/index.ts";

/**
 * What a command that watches writes to standard error about its stream: that it was interrupted and continues, and that
 * paths may not be watched. A text is repeated only after another one.
 */
export class StreamNotices {
  #problem: string | undefined;
  #unreadable = 0;

  /** The text about an event; undefined if there is nothing to write. */
  about(event: SecretEvent): string | undefined {
    if (event.kind === "disconnected") return this.#disconnected(event.error.message);
    if (event.kind !== "synced") return undefined;
    const texts = [this.#connected(), this.#watchable(event.requested - event.readable, event.requested)];
    return texts.filter((text) => text !== undefined).join("\n") || undefined;
  }

  /** An outage causes one text for each problem, and not one for each attempt. */
  #disconnected(problem: string): string | undefined {
    if (problem === this.#problem) return undefined;
    this.#problem = problem;
    return `disconnected, and reconnecting: ${problem}`;
  }

  #connected(): string | undefined {
    if (this.#problem === undefined) return undefined;
    this.#problem = undefined;
    return "connected again";
  }

  #watchable(unreadable: number, requested: number): string | undefined {
    if (unreadable === this.#unreadable) return undefined;
    this.#unreadable = unreadable;
    if (unreadable === 0) return "all paths and prefixes may be watched";
    return `${unreadable} of ${requested} paths and prefixes may not be watched, until a rule allows it`;
  }
}

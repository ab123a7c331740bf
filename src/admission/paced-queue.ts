import type { Pace } from "./pace.ts";

/** A piece of work that waits for its turn. */
interface Work {
  /** The lightest comes first, as far as its weight tells what it will cost. */
  readonly weight: number;
  readonly run: () => void;
}

/**
 * Does pieces of work at the pace that it is given. Light ones come first, so that a peer that brings little does not wait
 * for those that bring much. It never requests more than one piece at once, and so takes turns with what else has that pace.
 */
export class PacedQueue<Key> {
  readonly #pace: Pace;
  readonly #waiting = new Map<Key, Work>();
  #hasRequested = false;

  constructor(pace: Pace) {
    this.#pace = pace;
  }

  /** Does it now if nothing is to be done before. */
  add(key: Key, work: Work): void {
    this.#waiting.set(key, work);
    this.#request();
  }

  /** It need not be done any more. */
  remove(key: Key): void {
    this.#waiting.delete(key);
  }

  #request(): void {
    if (this.#hasRequested || this.#waiting.size === 0) return;
    this.#hasRequested = true;
    this.#pace.next(() => this.#doLightest());
  }

  #doLightest(): void {
    this.#hasRequested = false;
    const [key, work] = this.#lightest() ?? [];
    if (key === undefined) return;
    this.#waiting.delete(key);
    try {
      work?.run();
    } finally {
      this.#request();
    }
  }

  #lightest(): readonly [Key, Work] | undefined {
    let lightest: readonly [Key, Work] | undefined;
    for (const entry of this.#waiting) if (entry[1].weight < (lightest?.[1].weight ?? Infinity)) lightest = entry;
    return lightest;
  }
}

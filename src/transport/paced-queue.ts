import type { Timers } from "../domain/timers.ts";

/** A piece of work that waits for its turn. */
interface Work {
  /** The lightest comes first, as far as its weight tells what it will cost. */
  readonly weight: number;
  readonly run: () => void;
}

/**
 * Does pieces of work one at a time, and after each rests for as long as it took: whatever strangers make a piece cost, at
 * least half of the only thread stays for others. Light ones come first, so that who brings little is not kept waiting by
 * those who bring much.
 */
export class PacedQueue<Key> {
  readonly #timers: Pick<Timers, "elapsed" | "delay">;
  readonly #waiting = new Map<Key, Work>();
  #isResting = false;

  constructor(timers: Pick<Timers, "elapsed" | "delay">) {
    this.#timers = timers;
  }

  /** Does it now if nothing is to be done before. */
  add(key: Key, work: Work): void {
    this.#waiting.set(key, work);
    this.#advance();
  }

  /** It need not be done any more. */
  remove(key: Key): void {
    this.#waiting.delete(key);
  }

  #advance(): void {
    const next = this.#isResting ? undefined : this.#lightest();
    if (next === undefined) return;
    const [key, { run }] = next;
    this.#waiting.delete(key);
    const began = this.#timers.elapsed();
    this.#isResting = true;
    try {
      run();
    } finally {
      this.#timers.delay(this.#timers.elapsed() - began, () => this.#rested());
    }
  }

  #rested(): void {
    this.#isResting = false;
    this.#advance();
  }

  #lightest(): readonly [Key, Work] | undefined {
    let lightest: readonly [Key, Work] | undefined;
    for (const entry of this.#waiting) if (entry[1].weight < (lightest?.[1].weight ?? Infinity)) lightest = entry;
    return lightest;
  }
}

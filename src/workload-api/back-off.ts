const STEP_MS = 1000;
const MAX_STEPS = 30;

/**
 * The largest fraction by which a pause is shortened at random, so that the workloads of a machine don't all reconnect
 * together.
 */
const JITTER = 0.2;

/** The pauses between attempts: 1, 2, ... 30 seconds, each up to a fifth shorter at random. */
export class BackOff {
  readonly #random: () => number;
  #failures = 0;

  /** `random` returns numbers in [0, 1). */
  constructor(random: () => number) {
    this.#random = random;
  }

  /** Counts a failure, and returns how many milliseconds to wait after it. */
  next(): number {
    this.#failures = Math.min(this.#failures + 1, MAX_STEPS);
    return this.#failures * STEP_MS * (1 - JITTER * this.#random());
  }

  /** Call it after a success: the next failure counts as the first. */
  reset(): void {
    this.#failures = 0;
  }
}

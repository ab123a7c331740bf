const STEP_MS = 1000;
const MAX_STEPS = 30;

/** How much shorter than its step a pause may be, so that the workloads of a machine don't all come back at once. */
const JITTER = 0.2;

/** The pauses between attempts: 1, 2, ... 30 seconds, each up to a fifth shorter by chance. */
export class BackOff {
  readonly #random: () => number;
  #failures = 0;

  /** `random` gives numbers from 0 up to but not including 1. */
  constructor(random: () => number) {
    this.#random = random;
  }

  /** How many milliseconds to wait after one more failure. */
  next(): number {
    this.#failures = Math.min(this.#failures + 1, MAX_STEPS);
    return this.#failures * STEP_MS * (1 - JITTER * this.#random());
  }

  /** There was a success: the next failure counts as the first. */
  reset(): void {
    this.#failures = 0;
  }
}

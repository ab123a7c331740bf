import type { Spread } from "./rounds.ts";

/** A bound that the project requires, and the measurement. The median decides. */
export interface Requirement {
  readonly what: string;
  readonly measured: Spread;
  /** In words, as in "at least 0.85". */
  readonly bound: string;
  readonly met: boolean;
}

/** Requires a median of at least `bound`. */
export function atLeast(what: string, measured: Spread, bound: number): Requirement {
  return { what, measured, bound: `at least ${bound}`, met: measured.median >= bound };
}

/** Requires a median of at most `bound`. */
export function atMost(what: string, measured: Spread, bound: number): Requirement {
  return { what, measured, bound: `at most ${bound}`, met: measured.median <= bound };
}

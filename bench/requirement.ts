import type { Spread } from "./rounds.ts";

/** A bound that the project requires, and whether this run met it. */
export type Requirement = Measured | NotMeasured;

/** A bound that this run checked. It is met if the median of the rounds meets it. */
interface Measured {
  readonly outcome: "ok" | "MISSED";
  readonly what: string;
  readonly measured: Spread;
  /** In words, as in "at least 0.85". */
  readonly bound: string;
}

/** A bound that this run could not check, for example without etcd. */
interface NotMeasured {
  readonly outcome: "not measured";
  readonly what: string;
  readonly why: string;
}

/** Requires a median of at least `bound`. */
export function atLeast(what: string, measured: Spread, bound: number): Requirement {
  return { outcome: outcomeOf(measured.median >= bound), what, measured, bound: `at least ${bound}` };
}

/** Requires a median of at most `bound`. */
export function atMost(what: string, measured: Spread, bound: number): Requirement {
  return { outcome: outcomeOf(measured.median <= bound), what, measured, bound: `at most ${bound}` };
}

/** States that this run did not check a bound. */
export function notMeasured(what: string, why: string): Requirement {
  return { outcome: "not measured", what, why };
}

/** NaN meets no bound: both comparisons with it are false. */
function outcomeOf(met: boolean): Measured["outcome"] {
  return met ? "ok" : "MISSED";
}

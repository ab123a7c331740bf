import type { JobResult } from "./job.ts";
import { type Spread, spreadOf } from "./rounds.ts";

/** The CPU time of a call by thread, and the rates that follow from the part that further cores do not speed up. */
export interface ThreadShares {
  /** CPU time of the main thread in microseconds for each call. With fronts, this is the store thread. */
  readonly mainMicros: Spread;
  /** CPU time of each front in microseconds for each call of the server: the busiest other threads. */
  readonly frontMicros: readonly Spread[];
  /** CPU time of all other threads of Node and V8. */
  readonly otherMicros: Spread;
  /** Calls a second by Amdahl's law, by the number of cores. Empty without fronts. */
  readonly rates: ReadonlyMap<number, Spread>;
}

/** The numbers of cores for which a rate is calculated. */
export const CORES = [1, 8, 16, 32];

/** The shares of the threads of a Coffer with `threads` as its option `--threads`; one result for each round. */
export function threadSharesOf(results: readonly JobResult[], threads: number): ThreadShares {
  const of = (figure: (result: JobResult) => number) => spreadOf(results.map(figure));
  const fronts = threads > 1 ? threads : 0;
  return {
    mainMicros: of(({ serverThreads }) => serverThreads.main),
    frontMicros: Array.from({ length: fronts }, (_, front) =>
      of(({ serverThreads }) => serverThreads.others[front] ?? 0),
    ),
    otherMicros: of(({ serverThreads }) => sum(serverThreads.others.slice(fronts))),
    rates: new Map(fronts === 0 ? [] : CORES.map((cores) => [cores, of((result) => amdahlRate(result, cores))])),
  };
}

/**
 * Calls a second on a number of cores, by Amdahl's law: the store thread's time for each call stays, the rest is divided
 * by the cores. It assumes that nothing but the CPU limits the server, and that a core is as fast as in the measurement.
 */
export function amdahlRate({ serverThreads }: Pick<JobResult, "serverThreads">, cores: number): number {
  return 1e6 / (serverThreads.main + sum(serverThreads.others) / cores);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

import type { JobResult } from "./job.ts";
import { type Spread, spreadOf } from "./rounds.ts";

/**
 * The CPU time of a call by thread, and the rates on more cores, which are calculated from the part of this time that can't
 * be spread over cores.
 */
export interface ThreadShares {
  /** CPU time of the main thread in microseconds for each call. With fronts, this is the store thread. */
  readonly mainMicros: Spread;
  /** CPU time of each front in microseconds for each call of the server. The busiest other threads count as fronts. */
  readonly frontMicros: readonly Spread[];
  /** CPU time of all other threads, those of Node and V8, in microseconds for each call. */
  readonly otherMicros: Spread;
  /** The calculated rates on more cores. Undefined without fronts. */
  readonly scaling: Scaling | undefined;
}

/** Amdahl's law for a server with fronts. */
interface Scaling {
  /** CPU time in microseconds that a front spends on each call of another front, to keep its replica up to date. */
  readonly replicaMicros: Spread;
  /** Calls a second, by the number of cores. */
  readonly rates: ReadonlyMap<number, Spread>;
}

/** The numbers of cores for which a rate is calculated. */
export const CORES = [1, 8, 16, 32];

/** The shares of the threads of a server with `--threads 1`. `results` has one result for each round. */
export function singleThreadShares(results: readonly JobResult[]): ThreadShares {
  return sharesOf(results.map((result) => costOf(result, result, 0)));
}

/**
 * The shares of the threads of a server with `fronts` fronts. `results` are from calls that reach all fronts, `onOneFront`
 * from calls on one connection, which only one front answers. Both lists have one result for each round.
 */
export function frontShares(
  results: readonly JobResult[],
  onOneFront: readonly JobResult[],
  fronts: number,
): ThreadShares {
  const costs = results.map((result, round) => costOf(result, onOneFront[round]!, fronts));
  const rates = CORES.map((cores) => [cores, spreadOf(costs.map((cost) => amdahlRate(cost, cores)))] as const);
  const replicaMicros = spreadOf(costs.map(({ replica }) => replica));
  return { ...sharesOf(costs), scaling: { replicaMicros, rates: new Map(rates) } };
}

/** CPU times in microseconds for each call. */
export interface CallCost {
  readonly main: number;
  readonly fronts: readonly number[];
  readonly others: number;
  /** The time that a front spends on a call that another front answers. `fronts` includes it. */
  readonly replica: number;
}

function costOf({ serverThreads }: JobResult, onOneFront: JobResult, fronts: number): CallCost {
  const { main, others } = serverThreads;
  const busiest = others.slice(0, fronts);
  const idle = busiest.map(({ id }) => onOneFront.serverThreads.others.find((other) => other.id === id)?.micros ?? 0);
  return {
    main,
    fronts: busiest.map(({ micros }) => micros),
    others: sum(others.slice(fronts).map(({ micros }) => micros)),
    replica: Math.min(...idle),
  };
}

/**
 * Calls a second on a number of cores, by Amdahl's law, with as many fronts as cores. More cores do not reduce the time of
 * the store thread, or the time that every front spends on every call; the rest is divided by the number of cores. This
 * assumes that only the CPU limits the server, and that a core is as fast as in the measurement.
 */
export function amdahlRate({ main, fronts, others, replica }: CallCost, cores: number): number {
  const divided = sum(fronts) + others - fronts.length * replica;
  return 1e6 / (main + replica + divided / cores);
}

function sharesOf(costs: readonly CallCost[]): ThreadShares {
  const of = (figure: (cost: CallCost) => number) => spreadOf(costs.map(figure));
  return {
    mainMicros: of(({ main }) => main),
    frontMicros: costs[0]!.fronts.map((_, front) => of(({ fronts }) => fronts[front]!)),
    otherMicros: of(({ others }) => others),
    scaling: undefined,
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

import type { JobResult } from "./job.ts";
import type { Server } from "./servers.ts";

/** The results of each server, one for each round. */
export type Rounds = ReadonlyMap<string, readonly JobResult[]>;

/** One of the numbers of a result. */
export type Figure = (result: JobResult) => number;

/** A median and what it is the median of. */
export interface Spread {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

/**
 * Measures every server in every round, one after the other. A shared machine is slow for minutes at a time: servers
 * that are measured within the same seconds have the same luck, those that are measured one by one have not.
 */
export async function interleave(
  servers: readonly Server[],
  rounds: number,
  measure: (server: Server, round: number) => Promise<JobResult>,
): Promise<Rounds> {
  const results = new Map<string, JobResult[]>(servers.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++)
    for (const server of servers) results.get(server.name)!.push(await measure(server, round));
  return results;
}

/** A figure of one server over all rounds. */
export function spread(rounds: Rounds, server: string, figure: Figure): Spread {
  return spreadOf(rounds.get(server)!.map(figure));
}

/** How two servers compare: the ratio is taken within each round, and then over all rounds. */
export function ratio(rounds: Rounds, server: string, base: string, figure: Figure): Spread {
  const bases = rounds.get(base)!;
  return spreadOf(rounds.get(server)!.map((result, round) => figure(result) / figure(bases[round]!)));
}

/** The median of an even number of values is the mean of the two in the middle. Takes at least one value. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  const median = (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle)]!) / 2;
  return { median, least: sorted[0]!, most: sorted.at(-1)! };
}

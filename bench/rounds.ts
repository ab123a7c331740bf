import type { JobResult } from "./job.ts";

/** The results of each server, one for each round. */
export type Rounds = ReadonlyMap<string, readonly JobResult[]>;

/** Selects one number of a result. */
export type Figure = (result: JobResult) => number;

/** The median, minimum and maximum of some values. */
export interface Spread {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

/**
 * In each round, measures every subject, such as a server, once. A shared machine can be slow for minutes. Interleaved
 * measurements spread such a period over all subjects; otherwise it would affect only one of them.
 */
export async function interleave<Subject extends { readonly name: string }, Result>(
  subjects: readonly Subject[],
  rounds: number,
  measure: (subject: Subject, round: number) => Promise<Result>,
): Promise<ReadonlyMap<string, readonly Result[]>> {
  const results = new Map<string, Result[]>(subjects.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++)
    for (const subject of subjects) results.get(subject.name)!.push(await measure(subject, round));
  return results;
}

/** The spread of a figure of one server over all rounds. */
export function spread(rounds: Rounds, server: string, figure: Figure): Spread {
  return spreadOf(rounds.get(server)!.map(figure));
}

/** The spread over all rounds of the ratio of two servers. The ratio is calculated within each round. */
export function ratio(rounds: Rounds, server: string, base: string, figure: Figure): Spread {
  const bases = rounds.get(base)!;
  return spreadOf(rounds.get(server)!.map((result, round) => figure(result) / figure(bases[round]!)));
}

/** Requires at least one value. The median of an even number of values is the mean of the middle two. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  const median = (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle)]!) / 2;
  return { median, least: sorted[0]!, most: sorted.at(-1)! };
}

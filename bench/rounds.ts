import type { JobResult } from "./job.ts";

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
 * Measures every subject, such as a server, in every round, one after the other. A shared machine is slow for minutes at
 * a time: what is measured within the same seconds has the same luck, what is measured one by one has not.
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

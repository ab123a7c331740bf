import { type HandOverFindings, handOver } from "../test/support/hand-over.ts";
import { Site } from "../test/support/server-process.ts";
import type { Options } from "./options.ts";
import { type Requirement, atMost } from "./requirement.ts";
import { type Spread, spreadOf } from "./rounds.ts";
import type { Workshop } from "./workshop.ts";

/** Clients that write while servers take each other's place. */
const WRITERS = 8;

const GAP_AT_MOST_SECONDS = 2;

/** How servers hand over to one another under load. */
export interface HandOvers extends Omit<HandOverFindings, "gapsMs"> {
  readonly times: number;
  /** The longest time without a successful call, in seconds, over all exchanges. */
  readonly gaps: Spread;
  readonly requirements: readonly Requirement[];
}

/** Does what the test of the same name asserts, more often, and measures the gaps. */
export async function measureHandOver(workshop: Workshop, { handOvers }: Options): Promise<HandOvers> {
  const site = new Site();
  const options = { site, data: workshop.at("handover"), times: handOvers, writers: WRITERS };
  const { gapsMs, ...findings } = await handOver(options).finally(() => site.remove());
  const gaps = spreadOf(gapsMs.map((ms) => ms / 1000));
  const requirements = [
    atMost("handover: acknowledged changes lost", spreadOf([findings.lost.length]), 0),
    atMost("handover: seconds of the longest gap", spreadOf([gaps.most]), GAP_AT_MOST_SECONDS),
  ];
  return { times: handOvers, gaps, ...findings, requirements };
}

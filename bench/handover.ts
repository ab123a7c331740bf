import { type HandOverFindings, handOver } from "../test/support/hand-over.ts";
import { Site } from "../test/support/server-process.ts";
import type { Options } from "./options.ts";
import { type Requirement, atMost } from "./requirement.ts";
import { type Spread, spreadOf } from "./rounds.ts";
import type { RunFolder } from "./run-folder.ts";

/** The clients that write during the takeovers. */
const WRITERS = 8;

const GAP_AT_MOST_SECONDS = 2;

/** The results of takeovers between servers under load. */
export interface HandOvers extends Omit<HandOverFindings, "gapsMs"> {
  readonly times: number;
  /** The longest time without a successful call around each takeover, in seconds. */
  readonly gaps: Spread;
  readonly requirements: readonly Requirement[];
}

/** Repeats the takeover of test/durability/hand-over.test.ts more often, and measures the gaps. */
export async function measureHandOver(folder: RunFolder, { handOvers }: Options): Promise<HandOvers> {
  const site = new Site();
  const options = { site, data: folder.at("handover"), times: handOvers, writers: WRITERS };
  const { gapsMs, ...findings } = await handOver(options).finally(() => site.remove());
  const gaps = spreadOf(gapsMs.map((ms) => ms / 1000));
  const requirements = [
    atMost("handover: acknowledged changes lost", spreadOf([findings.lost.length]), 0),
    atMost("handover: seconds of the longest gap", spreadOf([gaps.most]), GAP_AT_MOST_SECONDS),
  ];
  return { times: handOvers, gaps, ...findings, requirements };
}

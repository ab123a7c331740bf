import { type JobResult, runJob } from "./job.ts";
import type { Options } from "./options.ts";
import { peakRssBytes } from "./process-stat.ts";
import { type Requirement, atLeast, atMost } from "./requirement.ts";
import { type Rounds, interleave, ratio, spreadOf } from "./rounds.ts";
import { type Server, fill, startCoffer } from "./servers.ts";
import { type Start, timedStart } from "./start.ts";
import { jobFor } from "./throughput.ts";
import type { RunFolder } from "./run-folder.ts";

const SMALL_STORE = 1000;

/** How a large store, by default of a million secrets, loads and serves. */
export interface Load {
  readonly secrets: number;
  readonly fillSeconds: number;
  readonly starts: readonly Start[];
  /** The peak of the resident memory of the large store's server after the Gets, in bytes. */
  readonly peakRssBytesAfterGets: number;
  /** Gets from the large store and from a store of 1,000 secrets. */
  readonly rounds: Rounds;
  readonly requirements: readonly Requirement[];
}

/** Fills a large store and a small one, restarts both, and compares how they serve. */
export async function measureLoad(folder: RunFolder, options: Options): Promise<Load> {
  const [small, large] = ["small", "large"].map((name) => ({ name: `coffer-${name}`, data: `coffer-${name}` }));
  await fillStore(folder, small!, SMALL_STORE);
  const fillSeconds = await fillStore(folder, large!, options.loadSecrets);

  const starts: Start[] = [];
  for (let round = 1; round < options.rounds; round++) {
    const { server, start } = await timedStart(folder, large!);
    starts.push(start);
    await server.stop();
  }
  const { server: largeServer, start } = await timedStart(folder, large!);
  starts.push(start);
  const smallServer = await startCoffer(folder, small!);

  const sizes = new Map([
    [smallServer, SMALL_STORE],
    [largeServer, options.loadSecrets],
  ]);
  const measure = (server: Server, round: number) =>
    runJob(jobFor(server, "get", round, { ...options, secrets: sizes.get(server)! }));
  const rounds = await interleave([...sizes.keys()], options.rounds, measure);
  const peakRssBytesAfterGets = peakRssBytes(largeServer.target.pid);
  await Promise.all([largeServer.stop(), smallServer.stop()]);
  const requirements = requirementsOf(starts, rounds);
  return { secrets: options.loadSecrets, fillSeconds, starts, peakRssBytesAfterGets, rounds, requirements };
}

type Store = { readonly name: string; readonly data: string };

async function fillStore(folder: RunFolder, store: Store, secrets: number): Promise<number> {
  const server = await startCoffer(folder, store);
  const { seconds } = await fill(server, secrets);
  await server.stop();
  return seconds;
}

const rate = (result: JobResult): number => result.rate;
const p99 = (result: JobResult): number => result.p99;

function requirementsOf(starts: readonly Start[], rounds: Rounds): Requirement[] {
  const gigabytes = spreadOf(starts.map((start) => start.peakRssBytes / 1e9));
  return [
    atMost("load: seconds from start to serving", spreadOf(starts.map((start) => start.seconds)), 8),
    atMost("load: peak RSS in GB until serving", gigabytes, 1.1),
    atLeast("load: Get rate, large / small", ratio(rounds, "coffer-large", "coffer-small", rate), 0.9),
    atMost("load: Get p99, large / small", ratio(rounds, "coffer-large", "coffer-small", p99), 1.1),
  ];
}

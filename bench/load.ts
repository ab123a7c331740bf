import { type JobResult, runJob } from "./job.ts";
import type { Options } from "./options.ts";
import { rssBytes } from "./process-stat.ts";
import { type Requirement, atLeast, atMost } from "./requirement.ts";
import { type Rounds, interleave, ratio, spreadOf } from "./rounds.ts";
import type { RunFolder } from "./run-folder.ts";
import { type Server, fill, startCoffer } from "./servers.ts";
import { type Start, timedStart } from "./start.ts";
import { steadyRss } from "./steady-rss.ts";
import { jobFor } from "./throughput.ts";

const SMALL_STORE = 1000;

/** The numbers of threads with which the large store is started. */
const THREADS = [1, 2, 3];

/** The number of threads with which Gets from the large store and the small one are measured. */
const GETS_WITH = 2;

/** A start of the large store. */
export interface LargeStart extends Start {
  /** The resident memory of the server once it no longer changes, in bytes. */
  readonly steadyRssBytes: number;
}

/** How a large store, by default of a million secrets, loads and serves. */
export interface Load {
  readonly secrets: number;
  readonly fillSeconds: number;
  /** By the number of threads, one for each round. */
  readonly starts: ReadonlyMap<number, readonly LargeStart[]>;
  /** The resident memory of the large store's server after the Gets, in bytes. */
  readonly rssBytesAfterGets: number;
  /** Gets from the large store and from a store of 1,000 secrets. */
  readonly rounds: Rounds;
  readonly requirements: readonly Requirement[];
}

/** Fills a large store and a small one, starts the large one with each number of threads, and compares both. */
export async function measureLoad(folder: RunFolder, options: Options): Promise<Load> {
  const small = { name: "coffer-small", data: "coffer-small", flags: ["--threads", `${GETS_WITH}`] };
  const large = { name: "coffer-large", data: "coffer-large", flags: ["--threads", `${GETS_WITH}`] };
  await fillStore(folder, small, SMALL_STORE);
  const fillSeconds = await fillStore(folder, large, options.loadSecrets);
  const starts = await measureStarts(folder, large, options.rounds);

  const [smallServer, largeServer] = [await startCoffer(folder, small), await startCoffer(folder, large)];
  const sizes = new Map<Server, number>([
    [smallServer, SMALL_STORE],
    [largeServer, options.loadSecrets],
  ]);
  const measure = (server: Server, round: number) =>
    runJob(jobFor(server, "get", round, { ...options, secrets: sizes.get(server)! }));
  const rounds = await interleave([...sizes.keys()], options.rounds, measure);
  const rssBytesAfterGets = rssBytes(largeServer.target.pid);
  await Promise.all([largeServer.stop(), smallServer.stop()]);
  const requirements = requirementsOf(starts, rounds);
  return { secrets: options.loadSecrets, fillSeconds, starts, rssBytesAfterGets, rounds, requirements };
}

type Store = { readonly name: string; readonly data: string; readonly flags: readonly string[] };

async function fillStore(folder: RunFolder, store: Store, secrets: number): Promise<number> {
  const server = await startCoffer(folder, store);
  const { seconds } = await fill(server, secrets);
  await server.stop();
  return seconds;
}

async function measureStarts(folder: RunFolder, store: Store, rounds: number): Promise<Load["starts"]> {
  const subjects = THREADS.map((threads) => ({ name: `${threads}`, threads }));
  const found = await interleave(subjects, rounds, async ({ threads }) => {
    const { server, start } = await timedStart(folder, { ...store, flags: ["--threads", `${threads}`] });
    const steadyRssBytes = await steadyRss(server.target.pid);
    await server.stop();
    return { ...start, steadyRssBytes };
  });
  return new Map(subjects.map(({ name, threads }) => [threads, found.get(name)!]));
}

const rate = (result: JobResult): number => result.rate;
const p99 = (result: JobResult): number => result.p99;

function requirementsOf(starts: Load["starts"], rounds: Rounds): readonly Requirement[] {
  const one = starts.get(1)!;
  return [
    atMost("load: one thread: seconds from start to serving", spreadOf(one.map(({ seconds }) => seconds)), 8),
    atMost(
      "load: one thread: peak RSS in GB until serving",
      spreadOf(one.map((start) => start.peakRssBytes / 1e9)),
      1.1,
    ),
    ...THREADS.slice(1).flatMap((threads) => furtherFront(starts, threads)),
    atLeast("load: Get rate, large / small", ratio(rounds, "coffer-large", "coffer-small", rate), 0.9),
    atMost("load: Get p99, large / small", ratio(rounds, "coffer-large", "coffer-small", p99), 1.1),
  ];
}

/** What one more thread costs. With one thread, the front has no replica; with two, each of the two fronts has one. */
function furtherFront(starts: Load["starts"], threads: number): readonly Requirement[] {
  const compare = (base: number, figure: (start: LargeStart, base: LargeStart) => number) =>
    spreadOf(starts.get(threads)!.map((start, round) => figure(start, starts.get(base)![round]!)));
  const label = (what: string, base: number) => `load: ${what}, ${threads} threads compared with ${base}`;
  const [peak, steady] = (["peakRssBytes", "steadyRssBytes"] as const).map((key) =>
    compare(threads - 1, (start, base) => (start[key] - base[key]) / 1e9),
  );
  return [
    atMost(
      label("seconds from start to serving", 1),
      compare(1, (start, base) => start.seconds / base.seconds),
      1.5,
    ),
    atMost(label("more GB of peak RSS until serving", threads - 1), peak!, 0.5),
    atMost(label("more GB of RSS after it is steady", threads - 1), steady!, 0.5),
  ];
}

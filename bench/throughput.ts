import { type Commits, commitsBetween, readCommits } from "./commits.ts";
import { type Job, type JobResult, type Operation, runJob } from "./job.ts";
import type { Options } from "./options.ts";
import { type Requirement, atLeast, atMost, notMeasured } from "./requirement.ts";
import { type Rounds, interleave, ratio } from "./rounds.ts";
import type { RunFolder } from "./run-folder.ts";
import {
  type CofferServer,
  ETCD_BIN,
  type Server,
  fill,
  startBareGrpc,
  startBareHttp2,
  startCoffer,
  startEtcd,
  threadedCoffers,
  threadedName,
} from "./servers.ts";
import { type ThreadShares, frontShares, singleThreadShares } from "./thread-shares.ts";

/** The rates of Coffer and the other servers for one operation. */
export interface Throughput {
  readonly operation: Operation;
  readonly rounds: Rounds;
  /** The CPU time of the threads of each Coffer of this build, by the name of the server. */
  readonly threads: ReadonlyMap<string, ThreadShares>;
  /** The commits of each Coffer during the measurements and their warm-ups. */
  readonly commits: ReadonlyMap<string, Commits>;
  readonly requirements: readonly Requirement[];
}

/** Starts the servers, fills them, and measures each operation on all of them in each round. */
export async function measureThroughput(
  folder: RunFolder,
  options: Options,
  operations: readonly Operation[],
): Promise<readonly Throughput[]> {
  const coffers = await startCoffers(folder, options);
  const servers = [...(await startOthers(folder)), ...coffers, ...(await startEtcdIfGiven(folder))];
  for (const server of servers) await fill(server, options.secrets);
  const measured: Throughput[] = [];
  for (const operation of operations) measured.push(await measureOperation(operation, servers, coffers, options));
  await Promise.all(servers.map((server) => server.stop()));
  return measured;
}

async function measureOperation(
  operation: Operation,
  servers: readonly Server[],
  coffers: readonly CofferServer[],
  options: Options,
): Promise<Throughput> {
  const before = await commitsOf(coffers);
  const measure = (server: Server, round: number) => runJob(jobFor(server, operation, round, options));
  const rounds = await interleave(servers, options.rounds, measure);
  const after = await commitsOf(coffers);
  const commits = [...after].map(([name, to]) => [name, commitsBetween(before.get(name)!, to)] as const);
  const threads = await measureThreads(operation, rounds, coffers, options);
  return { operation, rounds, threads, commits: new Map(commits), requirements: requirementsOf(operation, rounds) };
}

/** Measures servers with fronts once more in each round, with all calls in flight on one connection. */
async function measureThreads(
  operation: Operation,
  rounds: Rounds,
  coffers: readonly CofferServer[],
  options: Options,
): Promise<Throughput["threads"]> {
  const withFronts = coffers.filter(({ name }) =>
    options.threads.some((count) => count > 1 && threadedName(count) === name),
  );
  const one = { ...options, connections: 1, inFlight: options.connections * options.inFlight };
  // The numbers of these rounds continue after the measured ones, so that each Put writes a path that does not exist yet.
  const measure = (server: Server, round: number) => runJob(jobFor(server, operation, options.rounds + round, one));
  const onOneFront = await interleave(withFronts, options.rounds, measure);
  const shares = options.threads.map((count) => {
    const name = threadedName(count);
    const results = rounds.get(name)!;
    return [
      name,
      count === 1 ? singleThreadShares(results) : frontShares(results, onOneFront.get(name)!, count),
    ] as const;
  });
  return new Map(shares);
}

async function commitsOf(coffers: readonly CofferServer[]): Promise<ReadonlyMap<string, Commits>> {
  const commits = new Map<string, Commits>();
  for (const { name, opsPort } of coffers) commits.set(name, await readCommits(opsPort));
  return commits;
}

async function startOthers(folder: RunFolder): Promise<readonly Server[]> {
  return [await startBareHttp2(folder), await startBareGrpc(folder)];
}

async function startCoffers(folder: RunFolder, options: Options): Promise<readonly CofferServer[]> {
  const started: CofferServer[] = [];
  for (const coffer of threadedCoffers(options))
    started.push(await startCoffer(folder, { ...coffer, data: coffer.name }));
  return started;
}

async function startEtcdIfGiven(folder: RunFolder): Promise<readonly Server[]> {
  return ETCD_BIN === undefined ? [] : [await startEtcd(folder, { binary: ETCD_BIN, data: "etcd" })];
}

/** More than any server can store in one measurement, so that no two rounds write the same path. */
const PATHS_PER_ROUND = 10_000_000;

/** The job that measures one server in one round. */
export function jobFor({ target }: Server, operation: Operation, round: number, options: Options): Job {
  const { connections, inFlight, secrets, seconds } = options;
  return {
    target,
    operation,
    numbers:
      operation === "get"
        ? { kind: "random", below: secrets }
        : { kind: "sequence", from: secrets + round * PATHS_PER_ROUND },
    connections,
    inFlight,
    extent: { kind: "timed", warmUpMs: seconds * 200, measuredMs: seconds * 1000 },
  };
}

const rate = (result: JobResult): number => result.rate;
const serverMicros = (result: JobResult): number => result.serverMicros;

/** A ratio of two servers that the project requires. */
interface Comparison {
  readonly what: string;
  readonly server: string;
  readonly base: string;
  readonly figure: (result: JobResult) => number;
  readonly require: typeof atLeast;
  readonly bound: number;
}

const [ONE, TWO] = [threadedName(1), threadedName(2)];

function comparisonsOf(operation: Operation): readonly Comparison[] {
  const rates = { what: "rate", figure: rate, require: atLeast };
  const cpu = { what: "CPU per call", figure: serverMicros, require: atMost };
  return [
    { ...rates, server: ONE, base: "grpc-js", bound: operation === "get" ? 0.92 : 0.7 },
    { ...cpu, server: ONE, base: "etcd", bound: 0.75 },
    { ...rates, server: TWO, base: "etcd", bound: 1.2 },
    { ...cpu, server: TWO, base: "etcd", bound: 0.8 },
  ];
}

function requirementsOf(operation: Operation, rounds: Rounds): readonly Requirement[] {
  return comparisonsOf(operation).map(({ what, server, base, figure, require, bound }) => {
    const label = `${operation}: ${what}, ${server} / ${base}`;
    const missing = [server, base].find((name) => !rounds.has(name));
    if (missing !== undefined) return notMeasured(label, `${missing} was not started`);
    return require(label, ratio(rounds, server, base, figure), bound);
  });
}

import { IdleClients } from "./idle-clients.ts";
import { type JobResult, type Operation, runJob } from "./job.ts";
import type { Options } from "./options.ts";
import { type Requirement, atLeast, atMost, notMeasured } from "./requirement.ts";
import { type Spread, spreadOf } from "./rounds.ts";
import type { RunFolder } from "./run-folder.ts";
import { ETCD_BIN, type Server, fill, startCoffer, startEtcd } from "./servers.ts";
import { steadyRss } from "./steady-rss.ts";
import { jobFor } from "./throughput.ts";
import { type Deliveries, type WatchJob, runWatchJob } from "./watch-job.ts";

/** What watchers get, and what they cost. */
export interface Watches {
  readonly watchers: number;
  /** By the name of the situation, one for each round. */
  readonly deliveries: ReadonlyMap<string, readonly Deliveries[]>;
  /** By the operation and the kind of the idle clients, one for each round. */
  readonly beside: ReadonlyMap<string, readonly Beside[]>;
  readonly requirements: readonly Requirement[];
}

const OF_ALL = 10;
const CHANGES_PER_SECOND = 200;

/** The rate and the CPU time of a call beside idle clients, divided by those of the same server without them. */
export interface Beside {
  readonly rate: number;
  readonly serverMicros: number;
}

/** Gets and Puts beside idle clients. */
type BesideIdle = Readonly<Record<Operation, Beside>>;

/** The figures of one round. */
interface Round {
  /** A lone Put on the same server, in milliseconds. */
  readonly put: JobResult;
  /** The same changes as in `loaded`, without watchers. */
  readonly unwatched: Deliveries;
  readonly loaded: Deliveries;
  readonly idle: Deliveries;
  readonly etcd: Deliveries | undefined;
  readonly besideConnections: BesideIdle;
  readonly besideWatchers: BesideIdle;
  /** The memory of an idle watcher, divided by that of an idle connection. */
  readonly memory: number;
}

/** Measures deliveries to many watchers, deliveries on an idle server, and the cost of idle watchers. */
export async function measureWatch(folder: RunFolder, options: Options): Promise<Watches> {
  const rounds: Round[] = [];
  for (let round = 0; round < options.rounds; round++) rounds.push(await measureRound(folder, options, round));
  const etcd = rounds.flatMap(({ etcd }) => etcd ?? []);
  const deliveries = new Map([
    ["coffer, no watchers", rounds.map(({ unwatched }) => unwatched)],
    [`coffer, ${options.idleConnections} + ${OF_ALL} watchers`, rounds.map(({ loaded }) => loaded)],
    ["coffer, idle", rounds.map(({ idle }) => idle)],
    ...(etcd.length > 0 ? ([["etcd, idle", etcd]] as const) : []),
  ]);
  const beside = new Map(
    (["get", "put"] as const).flatMap((operation) => [
      [`${operation}, connections`, rounds.map(({ besideConnections }) => besideConnections[operation])] as const,
      [`${operation}, watchers`, rounds.map(({ besideWatchers }) => besideWatchers[operation])] as const,
    ]),
  );
  return { watchers: options.idleConnections, deliveries, beside, requirements: requirementsOf(rounds) };
}

async function measureRound(folder: RunFolder, options: Options, round: number): Promise<Round> {
  const watchers = options.idleConnections;
  const server = await startCoffer(folder, { name: "coffer", data: `watch-${round}` });
  await fill(server, watchers);
  const caller = { ...options, secrets: watchers, connections: 1, inFlight: 1 };
  const put = await runJob(jobFor(server, "put", 0, caller));
  const paced = { secrets: watchers, perSecond: CHANGES_PER_SECOND };
  const unwatched = await deliveriesOf(server, options, { ...paced, ofOnePath: 0, ofAll: 0 });
  const loaded = await deliveriesOf(server, options, { ...paced, ofOnePath: watchers, ofAll: OF_ALL });
  const beside = await measureBeside(server, options);
  await server.stop();
  const idle = await measureIdle(folder, options, round);
  const etcd = await measureEtcd(folder, options, round);
  const memory = await measureMemory(folder, options, round);
  return { put, unwatched, loaded, idle, etcd, ...beside, memory };
}

/** Measures one watcher on a new server without other clients, because etcd is measured in this way. */
async function measureIdle(folder: RunFolder, options: Options, round: number): Promise<Deliveries> {
  const server = await startCoffer(folder, { name: "coffer", data: `watch-alone-${round}` });
  await fill(server, options.idleConnections);
  const found = await deliveriesOf(server, options, oneWatcher(options.idleConnections));
  await server.stop();
  return found;
}

type Watched = Omit<WatchJob, "target" | "warmUpMs" | "measuredMs">;

function deliveriesOf({ target }: Server, { seconds }: Options, watched: Watched): Promise<Deliveries> {
  // A server that has served for a while has compiled its code. After a shorter warm-up, the measured times would include
  // the compilation.
  return runWatchJob({ target, ...watched, warmUpMs: seconds * 1000, measuredMs: seconds * 1000 });
}

/** One watcher of all secrets, and one change at a time. */
function oneWatcher(secrets: number): Watched {
  return { secrets, ofOnePath: 0, ofAll: 1, perSecond: undefined };
}

async function measureEtcd(folder: RunFolder, options: Options, round: number): Promise<Deliveries | undefined> {
  if (ETCD_BIN === undefined) return undefined;
  const etcd = await startEtcd(folder, { binary: ETCD_BIN, data: `watch-etcd-${round}` });
  const found = await deliveriesOf(etcd, options, oneWatcher(options.idleConnections));
  await etcd.stop();
  return found;
}

/**
 * Measures Gets and Puts beside idle connections and beside idle watchers. Without them, they are measured before and after,
 * because a server becomes faster or slower with its age.
 */
async function measureBeside(
  server: Server,
  options: Options,
): Promise<Pick<Round, "besideConnections" | "besideWatchers">> {
  const connections = options.idleConnections;
  let measured = 0;
  const measure = async () => {
    // Each measurement of Puts writes paths that do not exist yet, so that all of them do the same work.
    const numbers = 1 + measured++;
    const run = (operation: Operation) =>
      runJob(jobFor(server, operation, numbers, { ...options, secrets: connections }));
    return { get: await run("get"), put: await run("put") };
  };
  const beside = async (areWatching: boolean) => {
    const clients = await IdleClients.start({ target: server.target, connections, areWatching });
    const found = await measure();
    await clients.stop();
    return found;
  };
  const before = await measure();
  const [idle, watching] = [await beside(false), await beside(true)];
  const without = [before, await measure()];
  const divided = (found: Calls): BesideIdle => ({
    get: compared(
      found.get,
      without.map(({ get }) => get),
    ),
    put: compared(
      found.put,
      without.map(({ put }) => put),
    ),
  });
  return { besideConnections: divided(idle), besideWatchers: divided(watching) };
}

type Calls = Readonly<Record<Operation, JobResult>>;

function compared({ rate, serverMicros }: JobResult, without: readonly JobResult[]): Beside {
  const mean = (figure: (result: JobResult) => number) =>
    without.reduce((sum, result) => sum + figure(result), 0) / without.length;
  return {
    rate: rate / mean((result) => result.rate),
    serverMicros: serverMicros / mean((result) => result.serverMicros),
  };
}

/** The growth of a new server's memory for each idle watcher, divided by that for each idle connection. */
async function measureMemory(folder: RunFolder, options: Options, round: number): Promise<number> {
  const growth = async (areWatching: boolean) => {
    const server = await startCoffer(folder, { name: "coffer", data: `watch-idle-${areWatching}-${round}` });
    await fill(server, 1);
    const before = await steadyRss(server.target.pid);
    const clients = await IdleClients.start({
      target: server.target,
      connections: options.idleConnections,
      areWatching,
    });
    const after = await steadyRss(server.target.pid);
    await clients.stop();
    await server.stop();
    return after - before;
  };
  const connections = await growth(false);
  return (await growth(true)) / connections;
}

function requirementsOf(rounds: readonly Round[]): readonly Requirement[] {
  const over = (figure: (round: Round) => number): Spread => spreadOf(rounds.map(figure));
  const againstEtcd = "watch: p99 of a delivery on an idle server, compared with etcd's";
  return [
    atMost(
      "watch: p99 of a delivery at 200 changes a second, compared with p50 of a lone Put",
      over(({ loaded, put }) => loaded.delivered.p99 / put.p50),
      8,
    ),
    rounds.every(({ etcd }) => etcd !== undefined)
      ? atMost(
          againstEtcd,
          over(({ idle, etcd }) => idle.delivered.p99 / (etcd?.delivered.p99 ?? Number.NaN)),
          1.5,
        )
      : notMeasured(againstEtcd, "ETCD_BIN is not set"),
    atMost(
      "watch: memory of an idle watcher, compared with an idle connection",
      over(({ memory }) => memory),
      1.3,
    ),
    atLeast(
      "watch: rate of Gets with idle watchers, compared with none",
      over(({ besideWatchers }) => besideWatchers.get.rate),
      0.95,
    ),
    atLeast(
      "watch: rate of Puts with idle watchers, compared with none",
      over(({ besideWatchers }) => besideWatchers.put.rate),
      0.95,
    ),
  ];
}

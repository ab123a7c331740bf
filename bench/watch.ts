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
  readonly requirements: readonly Requirement[];
}

const OF_ALL = 10;
const CHANGES_PER_SECOND = 200;

/** The figures of one round. */
interface Round {
  /** A lone Put on the same server, in milliseconds. */
  readonly put: JobResult;
  /** The same changes as in `loaded`, without watchers. */
  readonly unwatched: Deliveries;
  readonly loaded: Deliveries;
  readonly idle: Deliveries;
  readonly etcd: Deliveries | undefined;
  /** The rates with idle watchers, divided by those of the same server without them. */
  readonly rates: Readonly<Record<Operation, number>>;
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
  return { watchers: options.idleConnections, deliveries, requirements: requirementsOf(rounds) };
}

async function measureRound(folder: RunFolder, options: Options, round: number): Promise<Round> {
  const watchers = options.idleConnections;
  const server = await startCoffer(folder, { name: "coffer", data: `watch-${round}` });
  await fill(server, watchers);
  const caller = { ...options, secrets: watchers, connections: 1, inFlight: 1 };
  const put = await runJob(jobFor(server, "put", round, caller));
  const paced = { secrets: watchers, perSecond: CHANGES_PER_SECOND };
  const unwatched = await deliveriesOf(server, options, { ...paced, ofOnePath: 0, ofAll: 0 });
  const loaded = await deliveriesOf(server, options, { ...paced, ofOnePath: watchers, ofAll: OF_ALL });
  const rates = await ratesWithWatchers(server, options, round);
  await server.stop();
  const idle = await measureIdle(folder, options, round);
  const etcd = await measureEtcd(folder, options, round);
  return { put, unwatched, loaded, idle, etcd, rates, memory: await measureMemory(folder, options, round) };
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

/** The rates of Gets and Puts with idle watchers, divided by those without. */
async function ratesWithWatchers(server: Server, options: Options, round: number): Promise<Round["rates"]> {
  const { target } = server;
  const rate = async (operation: Operation) =>
    (await runJob(jobFor(server, operation, round, { ...options, secrets: options.idleConnections }))).rate;
  const without = { get: await rate("get"), put: await rate("put") };
  const clients = await IdleClients.start({ target, connections: options.idleConnections, areWatching: true });
  const rates = { get: (await rate("get")) / without.get, put: (await rate("put")) / without.put };
  await clients.stop();
  return rates;
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
      over(({ rates }) => rates.get),
      0.95,
    ),
    atLeast(
      "watch: rate of Puts with idle watchers, compared with none",
      over(({ rates }) => rates.put),
      0.95,
    ),
  ];
}

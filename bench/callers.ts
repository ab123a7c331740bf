import { setTimeout as sleep } from "node:timers/promises";
import { accessOf } from "./access.ts";
import { type Attack, type AttackCount, Attackers } from "./attack.ts";
import { WEB_OWNER, attacksOn } from "./attacks.ts";
import { type JobResult, runJob, runPacedJob } from "./job.ts";
import { readMetrics } from "./metrics-page.ts";
import { NEW_CLIENTS, putForNewClients, refusedNewClients } from "./new-clients.ts";
import type { Options } from "./options.ts";
import { peakRssBytes } from "./process-stat.ts";
import { type Requirement, atMost } from "./requirement.ts";
import { interleave, spreadOf } from "./rounds.ts";
import { type Coffer, type CofferServer, coffers, fill, startCoffer } from "./servers.ts";
import type { RunFolder } from "./run-folder.ts";

const SECRETS = 1000;

/** Gets that the well-behaved client starts in a second. */
const GETS_PER_SECOND = 200;

/** Gets before the measurement, so that V8 has compiled the code that they run. */
const WARM_UP_CALLS = 5000;

/**
 * Memory counts as still growing if it grew by the factor GROWTH within a second. The benchmark waits at most
 * MAX_SECONDS for the end of the growth.
 */
const GROWTH = 1.01;
const MAX_SECONDS = 30;

/** The limit in docs/kubernetes.md, above which the kernel kills the process. */
const MEMORY_LIMIT_GIB = 1;

/** How long the server may take to close the connections of disconnected clients, in milliseconds. */
const CLOSE_MS = 10_000;
const POLL_MS = 100;

/** A server before, during and after an attack. */
export interface Episode {
  /** The well-behaved client's Gets before the attack. */
  readonly calm: JobResult;
  readonly attacked: JobResult;
  readonly actions: AttackCount;
  /** The number of clients that connect during the attack and get no answer. */
  readonly refused: number;
  /** The peak of the server's resident memory until the end of the attack, in bytes. */
  readonly peakRssBytes: number;
  /**
   * The metric coffer_connections, read {@link CLOSE_MS} after all clients have disconnected, or 0 if it is 0 before
   * that.
   */
  readonly connectionsLeft: number;
}

/** The effect of attacks on well-behaved callers. */
export interface CallersFindings {
  /** By the name of the attack, and of the server if it is another build; one episode for each round. */
  readonly episodes: ReadonlyMap<string, readonly Episode[]>;
  readonly requirements: readonly Requirement[];
}

/** One attack on one server. */
interface Scenario {
  readonly name: string;
  readonly attack: Attack;
  readonly coffer: Coffer;
}

/** Starts a new server for each attack in each round. Needs `ulimit -n` of at least 2,000. */
export async function measureCallers(folder: RunFolder, options: Options): Promise<CallersFindings> {
  const attacks = attacksOn(options.hoardMaxConnections).filter(({ kind }) => options.attacks.has(kind));
  const scenarios: readonly Scenario[] = attacks.flatMap((attack) =>
    coffers(options.otherBuilds).map((coffer) => ({ name: nameOf(attack, coffer), attack, coffer })),
  );
  const episodes = await interleave(scenarios, options.rounds, (scenario, round) =>
    episodeOf(folder, options, scenario, round),
  );
  const own = scenarios.filter(isRequired).map(({ name }) => name);
  return { episodes, requirements: requirementsOf(new Map(own.map((name) => [name, episodes.get(name)!]))) };
}

function isRequired({ attack, coffer }: Scenario): boolean {
  return attack.kind !== "none" && coffer.otherBuild === undefined;
}

function nameOf({ name }: Attack, coffer: Scenario["coffer"]): string {
  return coffer.otherBuild === undefined ? name : `${name}: ${coffer.name}`;
}

async function episodeOf(folder: RunFolder, options: Options, scenario: Scenario, round: number): Promise<Episode> {
  const { attack } = scenario;
  const server = await startServer(folder, options, scenario, round);
  const calm = await wellBehavedGets(server, options);
  const { cert, key } = folder.issue(attack.caller);
  const attackers = await Attackers.start({ attack, access: { ...accessOf(server.target), cert, key } });
  const attacked = await wellBehavedGets(server, options);
  const refused = await refusedNewClients(folder, server.target);
  const peakRssBytes = await settledPeakRss(server.target.pid);
  const actions = await attackers.stop();
  const connectionsLeft = await connectionsLeftOn(server);
  await server.stop();
  return { calm, attacked, actions, refused, peakRssBytes, connectionsLeft };
}

async function startServer(
  folder: RunFolder,
  options: Options,
  scenario: Scenario,
  round: number,
): Promise<CofferServer> {
  const { attack, coffer } = scenario;
  const flags = attack.kind === "hoard" ? ["--max-connections", `${options.hoardMaxConnections}`] : [];
  const data = `callers-${coffer.name}-${attack.kind}-${attack.perSecond}-${round}`;
  const server = await startCoffer(folder, { ...coffer, data, flags });
  await fill(server, SECRETS);
  await putForNewClients({ ...accessOf(server.target), ...folder.issue(WEB_OWNER) });
  await runJob({
    target: server.target,
    operation: "get",
    numbers: { kind: "random", below: SECRETS },
    connections: 1,
    inFlight: 1,
    extent: { kind: "counted", calls: WARM_UP_CALLS },
  });
  return server;
}

function wellBehavedGets({ target }: CofferServer, { seconds }: Options): Promise<JobResult> {
  const [warmUpMs, measuredMs] = [seconds * 200, seconds * 1000];
  return runPacedJob({ target, secrets: SECRETS, perSecond: GETS_PER_SECOND, warmUpMs, measuredMs });
}

/**
 * The peak once the memory no longer grows. An attack can still fill the memory after the well-behaved client's last
 * Get.
 */
async function settledPeakRss(pid: number): Promise<number> {
  let peak = peakRssBytes(pid);
  for (let second = 0; second < MAX_SECONDS; second++) {
    await sleep(1000);
    const before = peak;
    peak = peakRssBytes(pid);
    if (peak < before * GROWTH) break;
  }
  return peak;
}

async function connectionsLeftOn({ opsPort }: CofferServer): Promise<number> {
  const deadline = performance.now() + CLOSE_MS;
  for (;;) {
    const open = (await readMetrics(opsPort))("coffer_connections");
    if (open === 0 || performance.now() > deadline) return open;
    await sleep(POLL_MS);
  }
}

/** The ratio of the p99 during and before the attack; infinite if more than one Get in a hundred failed. */
export function p99Ratio({ calm, attacked }: Episode): number {
  return failures(attacked) * 100 > attacked.calls ? Number.POSITIVE_INFINITY : attacked.p99 / calm.p99;
}

/** The well-behaved client's failed Gets, before and during the attack. */
export function failuresOf({ calm, attacked }: Episode): number {
  return failures(calm) + failures(attacked);
}

function failures({ errors }: JobResult): number {
  return Object.values(errors).reduce((sum, count) => sum + count, 0);
}

/** The figures of an attack other than the p99, each with its bound. */
const BOUNDS: readonly (readonly [what: string, figure: (episode: Episode) => number, bound: number])[] = [
  ["failed Gets", failuresOf, 0],
  [`new clients refused, of ${NEW_CLIENTS}`, ({ refused }) => refused, 0],
  ["peak RSS in GiB", (episode) => episode.peakRssBytes / 2 ** 30, MEMORY_LIMIT_GIB],
  ["connections left", ({ connectionsLeft }) => connectionsLeft, 0],
];

function requirementsOf(attacks: ReadonlyMap<string, readonly Episode[]>): Requirement[] {
  if (attacks.size === 0) return [];
  const ratios = [...attacks].map(([name, episodes]) =>
    atMost(`callers: Get p99, attacked / calm: ${name}`, spreadOf(episodes.map(p99Ratio)), 3),
  );
  const others = BOUNDS.map(([what, figure, bound]) => {
    const spreads = [...attacks.values()].map((episodes) => spreadOf(episodes.map(figure)));
    const worst = spreads.reduce((a, b) => (b.median > a.median ? b : a));
    return atMost(`callers: ${what}, in the worst attack`, worst, bound);
  });
  return [...ratios, ...others];
}

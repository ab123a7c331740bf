import { setTimeout as sleep } from "node:timers/promises";
import { accessOf } from "./access.ts";
import { type Attack, type AttackCount, Attackers } from "./attack.ts";
import { WEB_OWNER, attacksOn } from "./attacks.ts";
import { type JobResult, runJob, runPacedJob } from "./job.ts";
import { NEWCOMERS, putForNewcomers, refusedNewcomers } from "./newcomers.ts";
import type { Options } from "./options.ts";
import { peakRssBytes } from "./process-stat.ts";
import { type Requirement, atMost } from "./requirement.ts";
import { interleave, spreadOf } from "./rounds.ts";
import { type CofferOptions, type CofferServer, coffers, fill, startCoffer } from "./servers.ts";
import type { Workshop } from "./workshop.ts";

const SECRETS = 1000;

/** Gets of the polite client in a second. */
const PACE = 200;

/** Gets before anything is measured: V8 compiles what they run through. */
const WARM_UP_CALLS = 5000;

/** Memory still grows while a second makes it grow by this part, and is waited for at most so many of them. */
const GROWTH = 1.01;
const MOST_LOOKS = 30;

/** The limit in docs/kubernetes.md, above which the kernel kills the process. */
const MEMORY_LIMIT_GIB = 1;

/** How long the server may take to close the connections of clients that have left, in milliseconds. */
const LEAVE_MS = 10_000;
const LOOK_MS = 100;

/** A server before, during and after an attack. */
export interface Episode {
  /** The polite client's Gets before the attack. */
  readonly calm: JobResult;
  readonly attacked: JobResult;
  readonly acts: AttackCount;
  /** Of the clients that connect during the attack, those without an answer. */
  readonly refused: number;
  /** The most memory that the server had in RAM until the end of the attack. */
  readonly peakRssBytes: number;
  /** What coffer_connections says when all clients have left for {@link LEAVE_MS}, or 0 as soon as it says so. */
  readonly connectionsLeft: number;
}

/** What attacks do to polite callers. */
export interface CallersFindings {
  /** By the attack, with the name of the server if it is not this Coffer; one episode for each round. */
  readonly episodes: ReadonlyMap<string, readonly Episode[]>;
  readonly requirements: readonly Requirement[];
}

/** One attack on one server. */
interface Scene {
  readonly name: string;
  readonly attack: Attack;
  readonly coffer: Pick<CofferOptions, "name" | "rival">;
}

/** Attacks a server of its own in each way and round. Needs `ulimit -n` of some 2,000. */
export async function measureCallers(workshop: Workshop, options: Options): Promise<CallersFindings> {
  const attacks = attacksOn(options.placesToTake).filter(({ conduct }) => options.attacks.has(conduct));
  const scenes: readonly Scene[] = attacks.flatMap((attack) =>
    coffers(options.rivals).map((coffer) => ({ name: nameOf(attack, coffer), attack, coffer })),
  );
  const episodes = await interleave(scenes, options.rounds, (scene, round) =>
    episodeOf(workshop, options, scene, round),
  );
  const own = scenes.filter(isRequired).map(({ name }) => name);
  return { episodes, requirements: requirementsOf(new Map(own.map((name) => [name, episodes.get(name)!]))) };
}

function isRequired({ attack, coffer }: Scene): boolean {
  return attack.conduct !== "none" && coffer.rival === undefined;
}

function nameOf({ name }: Attack, coffer: Scene["coffer"]): string {
  return coffer.rival === undefined ? name : `${name}: ${coffer.name}`;
}

async function episodeOf(workshop: Workshop, options: Options, scene: Scene, round: number): Promise<Episode> {
  const { attack } = scene;
  const server = await startServer(workshop, options, scene, round);
  const calm = await politeGets(server, options);
  const { cert, key } = workshop.issue(attack.caller);
  const attackers = await Attackers.gather({ attack, access: { ...accessOf(server.target), cert, key } });
  const attacked = await politeGets(server, options);
  const refused = await refusedNewcomers(workshop, server.target);
  const peakRssBytes = await settledPeakRss(server.target.pid);
  const acts = await attackers.leave();
  const connectionsLeft = await connectionsAfterAll(server);
  await server.stop();
  return { calm, attacked, acts, refused, peakRssBytes, connectionsLeft };
}

async function startServer(workshop: Workshop, options: Options, scene: Scene, round: number): Promise<CofferServer> {
  const { attack, coffer } = scene;
  const flags = attack.conduct === "hoard" ? ["--max-connections", `${options.placesToTake}`] : [];
  const data = `callers-${coffer.name}-${attack.conduct}-${attack.perSecond}-${round}`;
  const server = await startCoffer(workshop, { ...coffer, data, flags });
  await fill(server, SECRETS);
  await putForNewcomers({ ...accessOf(server.target), ...workshop.issue(WEB_OWNER) });
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

function politeGets({ target }: CofferServer, { seconds }: Options): Promise<JobResult> {
  const [warmUpMs, measuredMs] = [seconds * 200, seconds * 1000];
  return runPacedJob({ target, secrets: SECRETS, perSecond: PACE, warmUpMs, measuredMs });
}

/** An attack may need longer than the polite client's Gets to fill the memory. */
async function settledPeakRss(pid: number): Promise<number> {
  let peak = peakRssBytes(pid);
  for (let look = 0; look < MOST_LOOKS; look++) {
    await sleep(1000);
    const before = peak;
    peak = peakRssBytes(pid);
    if (peak < before * GROWTH) break;
  }
  return peak;
}

async function connectionsAfterAll({ opsPort }: CofferServer): Promise<number> {
  const deadline = performance.now() + LEAVE_MS;
  for (;;) {
    const exposed = await (await fetch(`http://127.0.0.1:${opsPort}/metrics`)).text();
    const open = Number(/^coffer_connections (\d+)$/m.exec(exposed)?.[1]);
    if (open === 0 || performance.now() > deadline) return open;
    await sleep(LOOK_MS);
  }
}

/** How much the attack raised the p99. When more than one Get in a hundred fails there is none, which counts as worst. */
export function p99Ratio({ calm, attacked }: Episode): number {
  return failures(attacked) * 100 > attacked.calls ? Number.POSITIVE_INFINITY : attacked.p99 / calm.p99;
}

/** Gets of the polite client that failed, before and during the attack. */
export function failuresOf({ calm, attacked }: Episode): number {
  return failures(calm) + failures(attacked);
}

function failures({ errors }: JobResult): number {
  return Object.values(errors).reduce((sum, count) => sum + count, 0);
}

/** What an attack may come to besides the p99: what is counted, and the most that is allowed of it. */
const BOUNDS: readonly (readonly [what: string, figure: (episode: Episode) => number, bound: number])[] = [
  ["failed Gets", failuresOf, 0],
  [`new clients refused, of ${NEWCOMERS}`, ({ refused }) => refused, 0],
  ["peak RSS in GiB", (episode) => episode.peakRssBytes / 2 ** 30, MEMORY_LIMIT_GIB],
  ["connections left", ({ connectionsLeft }) => connectionsLeft, 0],
];

function requirementsOf(attacks: ReadonlyMap<string, readonly Episode[]>): Requirement[] {
  if (attacks.size === 0) return [];
  const ratios = [...attacks].map(([name, episodes]) =>
    atMost(`callers: Get p99, attacked / calm: ${name}`, spreadOf(episodes.map(p99Ratio)), 3),
  );
  const rest = BOUNDS.map(([what, figure, bound]) => {
    const spreads = [...attacks.values()].map((episodes) => spreadOf(episodes.map(figure)));
    const worst = spreads.reduce((a, b) => (b.median > a.median ? b : a));
    return atMost(`callers: ${what}, in the worst attack`, worst, bound);
  });
  return [...ratios, ...rest];
}

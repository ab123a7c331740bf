import { type BackgroundCount, BackgroundClients } from "./background-clients.ts";
import { type JobResult, type Operation, runJob } from "./job.ts";
import type { Options } from "./options.ts";
import { type Requirement, atMost, notMeasured } from "./requirement.ts";
import { type Rounds, interleave, ratio, spread } from "./rounds.ts";
import type { RunFolder } from "./run-folder.ts";
import { ETCD_BIN, type Server, fill, startCoffer, startEtcd, threadedCoffers, threadedName } from "./servers.ts";
import { jobFor } from "./throughput.ts";
import { STALLING_SYNCS, STALL_MS, TRACED, hasStrace } from "./tracing.ts";
import { UnauthenticatedClients, continuousHandshakes } from "./unauthenticated-clients.ts";

const SECRETS = 1000;

/** The Puts that saturate a server. */
const PUTS = { connections: 4, inFlight: 4 };

/** A measurement of a stalling disk takes at least this number of seconds, so that several syncs stall in it. */
const STALLED_SECONDS = 6;

/** The calls of one caller, one at a time. */
export interface Latency {
  readonly rows: readonly Row[];
  /** By the names of the rows. */
  readonly rounds: Rounds;
  readonly requirements: readonly Requirement[];
}

/** One server in one situation. */
export interface Row {
  readonly name: string;
  /** The row with the same call on the same server without load. */
  readonly base: string;
}

const SITUATIONS = ["Get", "Get, 4 x 4 Puts", "Get, handshakes", "Get, traced", "Get, disk stalls", "Put"] as const;

/** What happens on a server while one caller calls it. In "Get" and "Put", there are no other calls. */
type Situation = (typeof SITUATIONS)[number];

/** A server of each kind: one for most situations, and two under strace, if this machine has it. */
interface Subject {
  readonly name: string;
  readonly server: Server;
  readonly traced: Server | undefined;
  readonly stalling: Server | undefined;
}

/** Measures one caller on each server in each situation, in each round. */
export async function measureLatency(folder: RunFolder, options: Options): Promise<Latency> {
  const subjects = await startSubjects(folder, options);
  const rows = subjects.flatMap((subject) =>
    measurementsOf(subject, options).map(([situation, measure]) => ({
      name: rowName(subject.name, situation),
      base: rowName(subject.name, situation === "Put" ? "Put" : "Get"),
      measure,
    })),
  );
  const rounds = await interleave(rows, options.rounds, ({ measure }, round) => measure(round));
  await Promise.all(
    subjects.flatMap(({ server, traced, stalling }) => [server, traced, stalling]).map((s) => s?.stop()),
  );
  return { rows: rows.map(({ name, base }) => ({ name, base })), rounds, requirements: requirementsOf(rounds) };
}

function rowName(server: string, situation: Situation): string {
  return `${server}: ${situation}`;
}

type Measure = (round: number) => Promise<JobResult>;

function measurementsOf(subject: Subject, options: Options): readonly (readonly [Situation, Measure])[] {
  const { server, traced, stalling } = subject;
  const one = (on: Server, operation: Operation, seconds = options.seconds): Measure => {
    const client = { ...options, seconds, secrets: SECRETS, connections: 1, inFlight: 1 };
    return (round) => runJob(jobFor(on, operation, round, client));
  };
  const always: readonly (readonly [Situation, Measure])[] = [
    ["Get", one(server, "get")],
    ["Get, 4 x 4 Puts", besidePuts(server, options, one(server, "get"))],
    ["Get, handshakes", besideHandshakes(server, one(server, "get"))],
    ["Put", one(server, "put")],
  ];
  if (traced === undefined || stalling === undefined) return always;
  const stalled = one(stalling, "get", Math.max(options.seconds, STALLED_SECONDS));
  return [
    ...always,
    ["Get, traced", one(traced, "get")],
    ["Get, disk stalls", besidePuts(stalling, options, stalled, requireStall)],
  ];
}

/** Measures while other clients put. `check` receives their count. */
function besidePuts(
  server: Server,
  options: Options,
  measure: Measure,
  check: (puts: BackgroundCount) => void = () => {},
): Measure {
  return async (round) => {
    // The numbers of these rounds continue after the measured ones, so that these Puts write other paths.
    const otherRound = options.rounds + round;
    const client = { ...options, ...PUTS, secrets: SECRETS };
    const puts = await BackgroundClients.start(jobFor(server, "put", otherRound, client));
    const result = await measure(round);
    const count = await puts.stop();
    if (Object.keys(count.errors).length > 0)
      throw new Error(`Puts beside Gets failed: ${JSON.stringify(count.errors)}`);
    check(count);
    return result;
  };
}

function besideHandshakes({ target }: Server, measure: Measure): Measure {
  return async (round) => {
    const unauthenticated = await UnauthenticatedClients.start(continuousHandshakes(target));
    const result = await measure(round);
    await unauthenticated.stop();
    return result;
  };
}

/** A Put waits for a sync. If the first one was answered before a stalled sync can end, the syncs did not stall. */
function requireStall({ firstAnswerMs }: BackgroundCount): void {
  if (firstAnswerMs < STALL_MS)
    throw new Error(`a Put took ${firstAnswerMs.toFixed(0)} ms: strace did not delay its sync`);
}

async function startSubjects(folder: RunFolder, options: Options): Promise<readonly Subject[]> {
  const subjects: Subject[] = [];
  for (const [name, start] of startersOf(folder, options)) {
    const server = await start(`latency-${name}`, []);
    await fill(server, SECRETS);
    const [traced, stalling] = hasStrace()
      ? [
          await startTraced(start, `traced-${name}`, TRACED),
          await startTraced(start, `stalling-${name}`, STALLING_SYNCS),
        ]
      : [];
    subjects.push({ name, server, traced, stalling });
  }
  return subjects;
}

type Starter = (data: string, under: readonly string[]) => Promise<Server>;

function startersOf(folder: RunFolder, options: Options): ReadonlyMap<string, Starter> {
  const starters = new Map<string, Starter>(
    threadedCoffers(options).map((coffer) => [
      coffer.name,
      (data, under) => startCoffer(folder, { ...coffer, data, under }),
    ]),
  );
  const binary = ETCD_BIN;
  if (binary !== undefined) starters.set("etcd", (data, under) => startEtcd(folder, { binary, data, under }));
  return starters;
}

/**
 * Starts a server under strace. An untraced server has filled its store, because filling it with slow syncs takes
 * hours.
 */
async function startTraced(start: Starter, data: string, under: readonly string[]): Promise<Server> {
  const untraced = await start(data, []);
  await fill(untraced, SECRETS);
  await untraced.stop();
  return start(data, under);
}

const p50 = (result: JobResult): number => result.p50;
const p99 = (result: JobResult): number => result.p99;

const [ONE, TWO] = [threadedName(1), threadedName(2)];

/** The maximum ratio of a figure in two rows that the project allows. */
interface Bound {
  readonly what: string;
  readonly row: string;
  readonly base: string;
  readonly figure: (result: JobResult) => number;
  readonly bound: number;
}

const QUIET = rowName(TWO, "Get");
const STALLED = rowName(TWO, "Get, disk stalls");

const BOUNDS: readonly Bound[] = [
  { what: "p99 beside 4 x 4 Puts / without", row: rowName(TWO, "Get, 4 x 4 Puts"), base: QUIET, figure: p99, bound: 3 },
  { what: "p99 while the disk stalls / without", row: STALLED, base: QUIET, figure: p99, bound: 3 },
  { what: "p99 during handshakes / without", row: rowName(TWO, "Get, handshakes"), base: QUIET, figure: p99, bound: 2 },
  { what: `p50 of a Put / ${ONE}`, row: rowName(TWO, "Put"), base: rowName(ONE, "Put"), figure: p50, bound: 1.25 },
];

/** In seconds. A caller that waits during a stall makes few calls, so its p99 can hide the one that waited. */
const SLOWEST_WHILE_STALLED = 1;

function requirementsOf(rounds: Rounds): readonly Requirement[] {
  const ratios = BOUNDS.map(({ what, row, base, figure, bound }) =>
    checked(rounds, [row, base], `latency: ${TWO}: ${what}`, (label) =>
      atMost(label, ratio(rounds, row, base, figure), bound),
    ),
  );
  const slowest = checked(rounds, [STALLED], `latency: ${TWO}: s of the slowest Get while the disk stalls`, (label) =>
    atMost(
      label,
      spread(rounds, STALLED, ({ worst }) => worst / 1000),
      SLOWEST_WHILE_STALLED,
    ),
  );
  return [...ratios, slowest];
}

function checked(
  rounds: Rounds,
  rows: readonly string[],
  label: string,
  check: (label: string) => Requirement,
): Requirement {
  const missing = rows.find((row) => !rounds.has(row));
  return missing === undefined ? check(label) : notMeasured(label, `"${missing}" was not measured`);
}

import { setTimeout as sleep } from "node:timers/promises";
import { Connection } from "./connection.ts";
import { type JobResult, type Target, runJob } from "./job.ts";
import type { Options } from "./options.ts";
import { RequestTemplate } from "./request.ts";
import { type Requirement, atMost } from "./requirement.ts";
import { type Rounds, type Spread, interleave, ratio, spreadOf } from "./rounds.ts";
import { type Server, fill, startCoffer } from "./servers.ts";
import type { RunFolder } from "./run-folder.ts";
import { jobFor } from "./throughput.ts";
import {
  type ConnectionCount,
  type Flood,
  type FloodKind,
  OTHER_ADDRESS,
  UnauthenticatedClients,
  continuousHandshakes,
  floodOf,
} from "./unauthenticated-clients.ts";

const SECRETS = 1000;

/** The connections of unauthenticated clients that stall. */
const STALLING = 5000;

/** The address of the legitimate clients. */
const SAME_ADDRESS = "127.0.0.1";

/** The time between two legitimate clients that connect while the others stall, in milliseconds. */
const PAUSE_MS = 50;

/** How long a legitimate client tries to get an answer, in milliseconds. After that, the benchmark fails. */
const TIMEOUT_MS = 30_000;

/** How legitimate clients connected while unauthenticated clients stalled. */
interface NewClients {
  readonly kind: FloodKind;
  /** The address of the unauthenticated clients. The legitimate clients are at 127.0.0.1. */
  readonly from: string;
  readonly unauthenticated: ConnectionCount;
  /** The time from a client's first attempt until its answer, in seconds. */
  readonly seconds: Spread;
  readonly clients: number;
  /** The attempts of all clients. */
  readonly attempts: number;
}

/** The effect of unauthenticated clients on legitimate ones. */
export interface FloodFindings {
  readonly newClients: readonly NewClients[];
  /** Gets of connected clients: without unauthenticated clients ("calm"), and while they open handshakes continuously ("flooded"). */
  readonly rounds: Rounds;
  readonly requirements: readonly Requirement[];
}

/** Floods Coffer with unauthenticated clients, and measures legitimate ones. Needs `ulimit -n` of at least 6,000. */
export async function measureFlood(folder: RunFolder, options: Options): Promise<FloodFindings> {
  const server = await startCoffer(folder, { name: "coffer", data: "coffer-flood" });
  await fill(server, SECRETS);
  const newClients: NewClients[] = [];
  for (const kind of ["silent", "half-hello", "hello"] as const)
    for (const from of [SAME_ADDRESS, OTHER_ADDRESS]) {
      const flood = { ...floodOf(server.target, kind, from), connections: STALLING };
      newClients.push(await newClientsDuring(flood, server, options.seconds));
    }
  const rounds = await getsDuringFlood(server, options);
  await server.stop();
  return { newClients, rounds, requirements: requirementsOf(newClients, rounds) };
}

async function newClientsDuring(flood: Flood, server: Server, seconds: number): Promise<NewClients> {
  const unauthenticated = await UnauthenticatedClients.start(flood);
  const answers: FirstAnswer[] = [];
  for (const end = performance.now() + seconds * 1000; performance.now() < end; await sleep(PAUSE_MS))
    answers.push(await firstAnswer(server.target));
  return {
    kind: flood.kind,
    from: flood.from,
    unauthenticated: await unauthenticated.stop(),
    seconds: spreadOf(answers.map(({ seconds }) => seconds)),
    clients: answers.length,
    attempts: answers.reduce((sum, { attempts }) => sum + attempts, 0),
  };
}

/** Measures the server twice in each round: calm and flooded. */
function getsDuringFlood(server: Server, options: Options): Promise<Rounds> {
  const measure = (round: number) => runJob(jobFor(server, "get", round, { ...options, secrets: SECRETS }));
  const flooded = async (round: number) => {
    const unauthenticated = await UnauthenticatedClients.start(continuousHandshakes(server.target));
    const result = await measure(round);
    await unauthenticated.stop();
    return result;
  };
  const situations: Readonly<Record<string, (round: number) => Promise<JobResult>>> = { calm: measure, flooded };
  const names = Object.keys(situations).map((name) => ({ ...server, name }));
  return interleave(names, options.rounds, ({ name }, round) => situations[name]!(round));
}

interface FirstAnswer {
  readonly seconds: number;
  readonly attempts: number;
}

/** Connects and makes one call; retries immediately if the server closes the connection. */
async function firstAnswer(target: Target): Promise<FirstAnswer> {
  const startedAt = performance.now();
  for (let attempts = 1; performance.now() - startedAt < TIMEOUT_MS; attempts++) {
    const isAnswered = await callOnce(target).catch(() => false);
    if (isAnswered) return { seconds: (performance.now() - startedAt) / 1000, attempts };
  }
  throw new Error(`a legitimate client got no answer within ${TIMEOUT_MS} ms`);
}

async function callOnce(target: Target): Promise<boolean> {
  let calls = 1;
  let isAnswered = false;
  const connection = await Connection.open(target, {
    template: new RequestTemplate(target.protocol, "get", `localhost:${target.port}`),
    inFlight: 1,
    next: () => (calls-- > 0 ? 0 : undefined),
    ended: ({ kind }) => {
      isAnswered = kind === "ok";
    },
  });
  await connection.run();
  return isAnswered;
}

const p99 = (result: JobResult): number => result.p99;

function requirementsOf(newClients: readonly NewClients[], rounds: Rounds): Requirement[] {
  return [
    ...newClients.map(({ kind, from, seconds: { most } }) =>
      atMost(`flood: seconds until the slowest client is answered, ${kind} from ${from}`, spreadOf([most]), 1),
    ),
    atMost(
      "flood: Get p99 while unauthenticated clients open handshakes continuously / before",
      ratio(rounds, "flooded", "calm", p99),
      5,
    ),
  ];
}

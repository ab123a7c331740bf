import { setTimeout as sleep } from "node:timers/promises";
import { systemClock } from "../src/domain/timers.ts";
import { createAuthority } from "../src/pki/development-ca.ts";
import { Connection } from "./connection.ts";
import { type JobResult, type Target, runJob } from "./job.ts";
import type { Options } from "./options.ts";
import { RequestTemplate } from "./request.ts";
import { type Requirement, atMost } from "./requirement.ts";
import { type Rounds, type Spread, interleave, ratio, spreadOf } from "./rounds.ts";
import { type Server, fill, startCoffer } from "./servers.ts";
import { type Conduct, type Flood, Strangers, type StrangersCount } from "./strangers.ts";
import { jobFor } from "./throughput.ts";
import { TRUST_DOMAIN, type Workshop } from "./workshop.ts";

const SECRETS = 1000;

/** How many connections the strangers hold that do not shake hands, and how many those that do. */
const STALLING = 5000;
const SHAKING = 32;

// The address of the good clients, and another one.
const HERE = "127.0.0.1";
const ELSEWHERE = "127.0.0.2";

// Between the good clients that connect while strangers stall, in milliseconds.
const PAUSE_MS = 50;

// How long a client tries before it counts as not served, in milliseconds.
const PATIENCE_MS = 30_000;

/** How good clients got in while strangers stalled. */
interface Newcomers {
  readonly conduct: Conduct;
  /** Where the strangers came from. The good clients are at 127.0.0.1. */
  readonly from: string;
  readonly strangers: StrangersCount;
  /** From its first attempt until it had an answer, for each client. */
  readonly seconds: Spread;
  /** How many clients there were, and how often they tried, together. */
  readonly arrivals: number;
  readonly attempts: number;
}

/** What strangers can do to good clients. */
export interface FloodFindings {
  readonly newcomers: readonly Newcomers[];
  /** Gets of clients that are connected, many at a time and one at a time: calm, and while strangers shake hands. */
  readonly rounds: Rounds;
  readonly requirements: readonly Requirement[];
}

/** Lets strangers loose on Coffer, and measures what good clients notice. Needs `ulimit -n` of some 6,000. */
export async function measureFlood(workshop: Workshop, options: Options): Promise<FloodFindings> {
  const server = await startCoffer(workshop, { name: "coffer", data: "coffer-flood" });
  await fill(server, SECRETS);
  const newcomers: Newcomers[] = [];
  for (const conduct of ["silent", "half-hello", "hello"] as const)
    for (const from of [HERE, ELSEWHERE]) {
      const flood = { ...floodOf(server, conduct, from), connections: STALLING };
      newcomers.push(await newcomersAmong(server, flood, options.seconds));
    }
  const rounds = await getsAmong(server, options);
  await server.stop();
  return { newcomers, rounds, requirements: requirementsOf(newcomers, rounds) };
}

async function newcomersAmong(server: Server, flood: Flood, seconds: number): Promise<Newcomers> {
  const strangers = await Strangers.gather(flood);
  const arrivals: Arrival[] = [];
  for (const end = performance.now() + seconds * 1000; performance.now() < end; await sleep(PAUSE_MS))
    arrivals.push(await arrive(server.target));
  return {
    conduct: flood.conduct,
    from: flood.from,
    strangers: await strangers.leave(),
    seconds: spreadOf(arrivals.map(({ seconds }) => seconds)),
    arrivals: arrivals.length,
    attempts: arrivals.reduce((sum, { attempts }) => sum + attempts, 0),
  };
}

/** The server in several situations that take turns: with a client alone and with many calls, calm and flooded. */
function getsAmong(server: Server, options: Options): Promise<Rounds> {
  const many = { ...options, secrets: SECRETS };
  const one = { ...many, connections: 1, inFlight: 1 };
  const measure = (round: number, client: Options) => runJob(jobFor(server, "get", round, client));
  const flooded = async (round: number, client: Options) => {
    const strangers = await Strangers.gather({ ...floodOf(server, "handshake", ELSEWHERE), connections: SHAKING });
    const result = await measure(round, client);
    await strangers.leave();
    return result;
  };
  const situations: Readonly<Record<string, (round: number) => Promise<JobResult>>> = {
    calm: (round) => measure(round, many),
    flooded: (round) => flooded(round, many),
    "one, calm": (round) => measure(round, one),
    "one, flooded": (round) => flooded(round, one),
  };
  const names = Object.keys(situations).map((name) => ({ ...server, name }));
  return interleave(names, options.rounds, ({ name }, round) => situations[name]!(round));
}

function floodOf({ target }: Server, conduct: Conduct, from: string): Omit<Flood, "connections"> {
  const foreign = createAuthority(TRUST_DOMAIN, systemClock).issue({ id: `spiffe://${TRUST_DOMAIN.name}/stranger` });
  const certificate = { cert: foreign.certPem, key: foreign.keyPem };
  return { conduct, port: target.port, from, certificate };
}

interface Arrival {
  readonly seconds: number;
  readonly attempts: number;
}

/** Connects and makes one call; tries again at once when the server closes the connection. */
async function arrive(target: Target): Promise<Arrival> {
  const begun = performance.now();
  for (let attempts = 1; performance.now() - begun < PATIENCE_MS; attempts++) {
    const isAnswered = await callOnce(target).catch(() => false);
    if (isAnswered) return { seconds: (performance.now() - begun) / 1000, attempts };
  }
  throw new Error(`a good client was not served within ${PATIENCE_MS} ms`);
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

function requirementsOf(newcomers: readonly Newcomers[], rounds: Rounds): Requirement[] {
  return [
    ...newcomers.map(({ conduct, from, seconds: { most } }) =>
      atMost(`flood: seconds of the slowest newcomer, ${conduct} from ${from}`, spreadOf([most]), 1),
    ),
    atMost("flood: Get p99, flooded / calm", ratio(rounds, "flooded", "calm", p99), 5),
    atMost("flood: Get p99 of one call at a time, flooded / calm", ratio(rounds, "one, flooded", "one, calm", p99), 5),
  ];
}

import { setTimeout as sleep } from "node:timers/promises";
import { Idlers } from "./idlers.ts";
import type { Target } from "./job.ts";
import type { Options } from "./options.ts";
import { rssBytes } from "./process-stat.ts";
import { type Requirement, atMost } from "./requirement.ts";
import { type Spread, spreadOf } from "./rounds.ts";
import { type Server, coffers, fill, startBareGrpc, startBareHttp2, startCoffer } from "./servers.ts";
import type { Workshop } from "./workshop.ts";

/** By how much the memory of a server grows for each idle connection, in kB (1,000 bytes). */
export interface IdleCost {
  /** Of a server that has just started: also by what is kept for later, such as room for young objects. */
  readonly fresh: Spread;
  /** Of the same server when those have left and as many come again: less, for it uses what was kept. */
  readonly again: Spread;
}

/** What idle connections cost. */
export interface Idle {
  readonly connections: number;
  readonly costs: ReadonlyMap<string, IdleCost>;
  readonly requirements: readonly Requirement[];
}

const AT_MOST_KB = 60;

/** Memory has settled when so many looks in a row, this far apart, find it within this part of what it was. */
const LOOKS = 4;
const LOOK_MS = 500;
const STEADY = 0.001;

/** Gives each server idle connections, twice, in each round anew. No garbage collection is forced. */
export async function measureIdle(workshop: Workshop, options: Options): Promise<Idle> {
  const starters = startersOf(workshop, options);
  const found = new Map<string, { fresh: number; again: number }[]>([...starters.keys()].map((name) => [name, []]));
  for (let round = 0; round < options.rounds; round++) {
    for (const [name, start] of starters) {
      const server = await start(round);
      await fill(server, 1);
      const fresh = await growth(server.target, options.idleConnections);
      const again = await growth(server.target, options.idleConnections);
      found.get(name)!.push({ fresh, again });
      await server.stop();
    }
  }
  const costs = new Map([...found].map(([name, rounds]) => [name, costOf(rounds)]));
  const requirements = [atMost("idle: kB for each connection", costs.get("coffer")!.fresh, AT_MOST_KB)];
  return { connections: options.idleConnections, costs, requirements };
}

function startersOf(workshop: Workshop, { rivals }: Options): Map<string, (round: number) => Promise<Server>> {
  const starters = new Map<string, (round: number) => Promise<Server>>([
    ["http2", () => startBareHttp2(workshop)],
    ["grpc-js", () => startBareGrpc(workshop)],
  ]);
  for (const coffer of coffers(rivals)) {
    starters.set(coffer.name, (round) => startCoffer(workshop, { ...coffer, data: `idle-${coffer.name}-${round}` }));
  }
  return starters;
}

async function growth(target: Target, connections: number): Promise<number> {
  const before = await settledRss(target.pid);
  const idlers = await Idlers.gather({ target, connections });
  const after = await settledRss(target.pid);
  await idlers.leave();
  return (after - before) / connections / 1000;
}

async function settledRss(pid: number): Promise<number> {
  let steady = rssBytes(pid);
  for (let looks = 0; looks < LOOKS; looks++) {
    await sleep(LOOK_MS);
    const now = rssBytes(pid);
    if (Math.abs(now - steady) <= STEADY * steady) continue;
    steady = now;
    looks = 0;
  }
  return steady;
}

function costOf(rounds: readonly { readonly fresh: number; readonly again: number }[]): IdleCost {
  return { fresh: spreadOf(rounds.map(({ fresh }) => fresh)), again: spreadOf(rounds.map(({ again }) => again)) };
}

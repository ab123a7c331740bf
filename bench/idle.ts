import { IdleClients } from "./idle-clients.ts";
import type { Target } from "./job.ts";
import type { Options } from "./options.ts";
import { type Requirement, atMost } from "./requirement.ts";
import { type Spread, spreadOf } from "./rounds.ts";
import { type Server, coffers, fill, startBareGrpc, startBareHttp2, startCoffer } from "./servers.ts";
import type { RunFolder } from "./run-folder.ts";
import { steadyRss } from "./steady-rss.ts";

/** The growth of a server's memory for each idle connection, in kB (1,000 bytes). */
export interface IdleCost {
  /**
   * In a server that has just started. This includes memory that V8 keeps for later, such as the young generation.
   */
  readonly fresh: Spread;
  /**
   * In the same server, after these clients have disconnected and the same number has reconnected. The server reuses
   * memory.
   */
  readonly again: Spread;
}

/** The memory that idle connections cost. */
export interface Idle {
  readonly connections: number;
  readonly costs: ReadonlyMap<string, IdleCost>;
  readonly requirements: readonly Requirement[];
}

const AT_MOST_KB = 60;

/** Starts each server in each round, and opens the idle connections twice. Forces no garbage collection. */
export async function measureIdle(folder: RunFolder, options: Options): Promise<Idle> {
  const starters = startersOf(folder, options);
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

function startersOf(folder: RunFolder, { otherBuilds }: Options): Map<string, (round: number) => Promise<Server>> {
  const starters = new Map<string, (round: number) => Promise<Server>>([
    ["http2", () => startBareHttp2(folder)],
    ["grpc-js", () => startBareGrpc(folder)],
  ]);
  for (const coffer of coffers(otherBuilds)) {
    starters.set(coffer.name, (round) => startCoffer(folder, { ...coffer, data: `idle-${coffer.name}-${round}` }));
  }
  return starters;
}

async function growth(target: Target, connections: number): Promise<number> {
  const before = await steadyRss(target.pid);
  const clients = await IdleClients.start({ target, connections });
  const after = await steadyRss(target.pid);
  await clients.stop();
  return (after - before) / connections / 1000;
}

function costOf(rounds: readonly { readonly fresh: number; readonly again: number }[]): IdleCost {
  return { fresh: spreadOf(rounds.map(({ fresh }) => fresh)), again: spreadOf(rounds.map(({ again }) => again)) };
}

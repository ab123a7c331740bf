import { setTimeout as sleep } from "node:timers/promises";
import { connectionsByEventLoop } from "./event-loops.ts";
import { IdleClients } from "./idle-clients.ts";
import { readMetrics } from "./metrics-page.ts";
import type { Options } from "./options.ts";
import { type Requirement, atMost } from "./requirement.ts";
import { spreadOf } from "./rounds.ts";
import type { RunFolder } from "./run-folder.ts";
import { type CofferServer, fill, startCoffer, threadedName } from "./servers.ts";

/** The numbers of connections that clients open at the same time. */
const CONNECTIONS = [4, 8];

/** The number of bursts of each size in a round. */
const BURSTS = 10;

const POLL_MS = 20;

/** How connections that are opened at the same time are spread over the fronts. */
export interface FrontSpread {
  /** The connections of each front, the most first, for each burst. */
  readonly bursts: readonly Burst[];
  readonly requirements: readonly Requirement[];
}

/** One burst of connections. */
interface Burst {
  readonly server: string;
  readonly connections: number;
  readonly onFronts: readonly number[];
}

/** Opens connections to servers with several fronts, and counts those of each front. */
export async function measureSpread(folder: RunFolder, { threads, rounds }: Options): Promise<FrontSpread> {
  const bursts: Burst[] = [];
  for (const fronts of threads.filter((count) => count > 1)) {
    const name = threadedName(fronts);
    const server = await startCoffer(folder, { name, data: `spread-${name}`, flags: ["--threads", `${fronts}`] });
    await fill(server, 1);
    for (let burst = 0; burst < rounds * BURSTS; burst++)
      for (const connections of CONNECTIONS)
        bursts.push({ server: name, connections, onFronts: await burstOn(server, connections, fronts) });
    await server.stop();
  }
  return { bursts, requirements: requirementsOf(bursts) };
}

async function burstOn(server: CofferServer, connections: number, fronts: number): Promise<readonly number[]> {
  const clients = await IdleClients.start({ target: server.target, connections });
  const { pid, port } = server.target;
  const onFronts = connectionsByEventLoop(pid, port).slice(0, fronts);
  await clients.stop();
  await untilDisconnected(server);
  return onFronts;
}

/** A connection that the server has not closed yet would count for the next burst. */
async function untilDisconnected({ opsPort }: CofferServer): Promise<void> {
  while ((await readMetrics(opsPort))("coffer_connections") > 0) await sleep(POLL_MS);
}

function requirementsOf(bursts: readonly Burst[]): readonly Requirement[] {
  const differences = bursts.map(({ onFronts }) => onFronts[0]! - onFronts.at(-1)!);
  if (differences.length === 0) return [];
  const worst = spreadOf([Math.max(...differences)]);
  return [atMost("spread: connections that a front has more than another, in the worst burst", worst, 1)];
}

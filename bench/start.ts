import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import type { Options } from "./options.ts";
import { cpuMicros, peakRssBytes } from "./process-stat.ts";
import { type Requirement, atMost } from "./requirement.ts";
import { spreadOf } from "./rounds.ts";
import { type CofferOptions, type Server, coffers, fill, logOf, startCoffer } from "./servers.ts";
import type { Workshop } from "./workshop.ts";

/** One start. Seconds are those since the start of the process. */
export interface Start {
  /** Until the first 200 of /readyz, which is asked every 10 ms. */
  readonly seconds: number;
  /** Until its first line in the log: Node has started, and the program is loaded. */
  readonly programSeconds: number;
  /** Until the store was loaded. */
  readonly loadedSeconds: number;
  /** CPU time that it took until it served. When it is well below the other, the machine was busy with something else. */
  readonly cpuSeconds: number;
  /** The most memory that it had in RAM until then. */
  readonly peakRssBytes: number;
}

/** How long servers take to start. */
export interface Starts {
  readonly secrets: number;
  /** Node alone, with an empty program, from start to end, in each round. */
  readonly nodeSeconds: readonly number[];
  readonly starts: ReadonlyMap<string, readonly Start[]>;
  readonly requirements: readonly Requirement[];
}

const AT_MOST_SECONDS = 1;

/** Fills a store for each server, and starts it once in each round. */
export async function measureStart(workshop: Workshop, options: Options): Promise<Starts> {
  const stores = coffers(options.rivals).map((coffer) => ({ ...coffer, data: `start-${coffer.name}` }));
  for (const store of stores) {
    const server = await startCoffer(workshop, store);
    await fill(server, options.startSecrets);
    await server.stop();
  }
  const nodeSeconds: number[] = [];
  const starts = new Map<string, Start[]>(stores.map(({ name }) => [name, []]));
  for (let round = 0; round < options.rounds; round++) {
    nodeSeconds.push(bareStart());
    for (const store of stores) {
      const { server, start } = await timedStart(workshop, store);
      starts.get(store.name)!.push(start);
      await server.stop();
    }
  }
  const seconds = spreadOf(starts.get("coffer")!.map((start) => start.seconds));
  const requirements = [atMost("start: seconds until ready", seconds, AT_MOST_SECONDS)];
  return { secrets: options.startSecrets, nodeSeconds, starts, requirements };
}

/** Starts a server on a store that was filled before. */
export async function timedStart(
  workshop: Workshop,
  store: CofferOptions,
): Promise<{ readonly server: Server; readonly start: Start }> {
  const begunAt = Date.now();
  const begun = performance.now();
  const server = await startCoffer(workshop, store);
  const seconds = (performance.now() - begun) / 1000;
  const { pid } = server.target;
  const [programSeconds, loadedSeconds] = ["starting", "store loaded"].map(
    (event) => (timeOf(event, logOf(workshop, store.name)) - begunAt) / 1000,
  );
  const took = { seconds, programSeconds: programSeconds!, loadedSeconds: loadedSeconds! };
  return { server, start: { ...took, cpuSeconds: cpuMicros(pid) / 1e6, peakRssBytes: peakRssBytes(pid) } };
}

/** When the log had its last line of this kind, in milliseconds since the epoch. */
function timeOf(event: string, log: string): number {
  const lines = readFileSync(log, "utf8").split("\n");
  const line = lines.findLast((text) => text.includes(`"event":"${event}"`));
  if (line === undefined) throw new Error(`${log} has no line "${event}"`);
  return Date.parse((JSON.parse(line) as { time: string }).time);
}

function bareStart(): number {
  const begun = performance.now();
  spawnSync(process.execPath, ["-e", "0"]);
  return (performance.now() - begun) / 1000;
}

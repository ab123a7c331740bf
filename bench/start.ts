import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import type { Options } from "./options.ts";
import { cpuMicros, peakRssBytes } from "./process-stat.ts";
import { type Requirement, atMost } from "./requirement.ts";
import { spreadOf } from "./rounds.ts";
import { type CofferOptions, type Server, coffers, fill, logOf, startCoffer } from "./servers.ts";
import type { RunFolder } from "./run-folder.ts";

/** One start. Seconds count from the start of the process. */
export interface Start {
  /** Until the first 200 of /readyz, which is requested every 10 ms. */
  readonly seconds: number;
  /** Until the first line of the log: Node has started, and the program is loaded. */
  readonly programSeconds: number;
  /** Until the store is loaded. */
  readonly loadedSeconds: number;
  /** CPU time until it served. If it is far below `seconds`, other programs used the machine. */
  readonly cpuSeconds: number;
  /** The peak of its resident memory until then, in bytes. */
  readonly peakRssBytes: number;
}

/** The time that servers take to start. */
export interface Starts {
  readonly secrets: number;
  /** The run time of Node with an empty program, in each round. */
  readonly nodeSeconds: readonly number[];
  readonly starts: ReadonlyMap<string, readonly Start[]>;
  readonly requirements: readonly Requirement[];
}

const AT_MOST_SECONDS = 1;

/** Fills a store for each server, and starts the server once in each round. */
export async function measureStart(folder: RunFolder, options: Options): Promise<Starts> {
  const stores = coffers(options.otherBuilds).map((coffer) => ({ ...coffer, data: `start-${coffer.name}` }));
  for (const store of stores) {
    const server = await startCoffer(folder, store);
    await fill(server, options.startSecrets);
    await server.stop();
  }
  const nodeSeconds: number[] = [];
  const starts = new Map<string, Start[]>(stores.map(({ name }) => [name, []]));
  for (let round = 0; round < options.rounds; round++) {
    nodeSeconds.push(bareStart());
    for (const store of stores) {
      const { server, start } = await timedStart(folder, store);
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
  folder: RunFolder,
  store: CofferOptions,
): Promise<{ readonly server: Server; readonly start: Start }> {
  const startedAt = Date.now();
  const started = performance.now();
  const server = await startCoffer(folder, store);
  const seconds = (performance.now() - started) / 1000;
  const { pid } = server.target;
  const [programSeconds, loadedSeconds] = ["starting", "store loaded"].map(
    (event) => (timeOf(event, logOf(folder, store.name)) - startedAt) / 1000,
  );
  const took = { seconds, programSeconds: programSeconds!, loadedSeconds: loadedSeconds! };
  return { server, start: { ...took, cpuSeconds: cpuMicros(pid) / 1e6, peakRssBytes: peakRssBytes(pid) } };
}

/** The time of the last line with this event, in milliseconds since the epoch. */
function timeOf(event: string, log: string): number {
  const lines = readFileSync(log, "utf8").split("\n");
  const line = lines.findLast((text) => text.includes(`"event":"${event}"`));
  if (line === undefined) throw new Error(`${log} has no line "${event}"`);
  return Date.parse((JSON.parse(line) as { time: string }).time);
}

function bareStart(): number {
  const started = performance.now();
  spawnSync(process.execPath, ["-e", "0"]);
  return (performance.now() - started) / 1000;
}

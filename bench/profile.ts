import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { type JobResult, type Operation, runJob } from "./job.ts";
import type { Options } from "./options.ts";
import { fill, startCoffer } from "./servers.ts";
import { jobFor } from "./throughput.ts";
import type { RunFolder } from "./run-folder.ts";

/** How the main thread spends its busy time during one operation. The shares sum to 1. */
export interface Profile {
  readonly operation: Operation;
  readonly result: JobResult;
  /** The share of each group, the largest first. */
  readonly groups: readonly Share[];
  /** The functions with the largest shares, the largest first. */
  readonly functions: readonly Share[];
}

/** The self time of a group or a function, without the functions that it calls. */
interface Share {
  readonly name: string;
  readonly share: number;
}

const FUNCTIONS_SHOWN = 30;

/**
 * Runs Coffer with one thread under V8's sampling profiler. This makes it slower, so only the shares are meaningful, not
 * the rate.
 */
export async function profileOf(folder: RunFolder, options: Options, operation: Operation): Promise<Profile> {
  const profile = folder.at(`profile-${operation}`);
  const nodeOptions = ["--cpu-prof", `--cpu-prof-dir=${profile}`];
  const flags = ["--allow-debug", "--threads", "1"];
  const server = await startCoffer(folder, { name: operation, data: operation, nodeOptions, flags });
  await fill(server, options.secrets);
  const result = await runJob(jobFor(server, operation, 0, options));
  await server.stop();
  const frames = busyFrames(readProfile(profile), result.window);
  return {
    operation,
    result,
    groups: sharesOf(frames, ({ frame }) => groupOf(frame)),
    functions: sharesOf(frames, ({ frame }) => nameOf(frame)).slice(0, FUNCTIONS_SHOWN),
  };
}

/** The file that --cpu-prof writes (Profile in the DevTools protocol). Times are in microseconds. */
interface CpuProfile {
  readonly startTime: number;
  readonly nodes: readonly { readonly id: number; readonly callFrame: CallFrame }[];
  /** The id of the node that ran at each sample. */
  readonly samples: readonly number[];
  /** The time from the previous sample to each sample. */
  readonly timeDeltas: readonly number[];
}

interface CallFrame {
  readonly functionName: string;
  readonly url: string;
  readonly lineNumber: number;
}

interface TimedFrame {
  readonly frame: CallFrame;
  readonly micros: number;
}

function readProfile(folder: string): CpuProfile {
  const file = readdirSync(folder).find((name) => name.endsWith(".cpuprofile"));
  if (file === undefined) throw new Error("Coffer ended without writing its CPU profile");
  return JSON.parse(readFileSync(join(folder, file), "utf8"));
}

/** The busy samples within the measured time. V8 and the client read the same monotonic clock. */
function busyFrames({ startTime, nodes, samples, timeDeltas }: CpuProfile, window: JobResult["window"]): TimedFrame[] {
  const frameById = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]));
  let now = startTime;
  return samples.flatMap((id, index) => {
    now += timeDeltas[index]!;
    const frame = frameById.get(id)!;
    const counts = now >= window.from && now < window.to && frame.functionName !== "(idle)";
    // A sample represents the time until the next one.
    return counts ? [{ frame, micros: timeDeltas[index + 1] ?? 0 }] : [];
  });
}

function sharesOf(frames: readonly TimedFrame[], name: (frame: TimedFrame) => string): Share[] {
  const micros = new Map<string, number>();
  for (const frame of frames) micros.set(name(frame), (micros.get(name(frame)) ?? 0) + frame.micros);
  const total = frames.reduce((sum, frame) => sum + frame.micros, 0);
  return [...micros].map(([name, own]) => ({ name, share: own / total })).sort((a, b) => b.share - a.share);
}

/** The first pattern that matches a function's URL determines its group. */
const GROUPS: readonly (readonly [RegExp, (match: RegExpMatchArray) => string])[] = [
  [/\/dist[^/]*\/src\/([^/]+)\//, ([, module]) => `coffer ${module}`],
  [/\/node_modules\/((?:@[^/]+\/)?[^/]+)\//, ([, name]) => name!],
  [/^node:.*http2/, () => "node http2"],
  [/^node:.*(tls|crypto)/, () => "node tls"],
  [/^node:.*(net|stream|readable|writable)/, () => "node net and streams"],
  [/^node:/, () => "node events, buffers, timers and the rest"],
];

function groupOf({ url, functionName }: CallFrame): string {
  if (functionName === "(garbage collector)") return "garbage collection";
  if (functionName === "(program)") return "native code outside JavaScript calls";
  for (const [pattern, name] of GROUPS) {
    const match = pattern.exec(url);
    if (match !== null) return name(match);
  }
  return "native functions without a module";
}

function nameOf({ url, functionName, lineNumber }: CallFrame): string {
  const name = functionName === "" ? "(anonymous)" : functionName;
  const file = url.replace(/^.*\/(dist[^/]*|node_modules)\//, "");
  return file === "" ? name : `${name} ${file}:${lineNumber + 1}`;
}

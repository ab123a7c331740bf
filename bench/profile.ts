import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { type JobResult, type Operation, runJob } from "./job.ts";
import type { Options } from "./options.ts";
import { fill, startCoffer } from "./servers.ts";
import { jobFor } from "./throughput.ts";
import type { RunFolder } from "./run-folder.ts";

/** How the threads of Coffer spend their busy time during calls. */
export interface Profile {
  readonly operation: Operation;
  readonly result: JobResult;
  readonly threads: readonly ThreadProfile[];
}

/** The busy time of one thread. The shares of the groups sum to 1, as do those of all functions. */
export interface ThreadProfile {
  readonly name: string;
  /** The share of the measured time in which the thread was busy or waited for the disk. */
  readonly busy: number;
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
 * Runs Coffer with the largest number of threads of the options under V8's sampling profiler. This makes it slower, so only
 * the shares are meaningful, not the rate.
 */
export async function profileOf(folder: RunFolder, options: Options, operation: Operation): Promise<Profile> {
  const profiles = folder.at(`profile-${operation}`);
  const server = await startCoffer(folder, {
    name: "coffer",
    data: `profiled-${operation}`,
    nodeOptions: ["--cpu-prof", `--cpu-prof-dir=${profiles}`],
    flags: ["--allow-debug", "--threads", `${Math.max(...options.threads)}`],
  });
  await fill(server, options.secrets);
  const result = await runJob(jobFor(server, operation, 0, options));
  await server.stop();
  const threads = readProfiles(profiles).map((profile, thread) => threadProfile(profile, thread, result.window));
  return { operation, result, threads };
}

function threadProfile(profile: CpuProfile, thread: number, window: JobResult["window"]): ThreadProfile {
  const frames = busyFrames(profile, window);
  return {
    name: thread === 0 ? "main thread" : `front ${thread}`,
    busy: frames.reduce((sum, { micros }) => sum + micros, 0) / (window.to - window.from),
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

/** Reads the profile of each thread, in the order of Node's thread IDs. The main thread is first. */
function readProfiles(folder: string): readonly CpuProfile[] {
  const files = readdirSync(folder).flatMap((name) => {
    const [, thread] = /\.(\d+)\.\d+\.cpuprofile$/.exec(name) ?? [];
    return thread === undefined ? [] : [{ name, thread: Number(thread) }];
  });
  if (files.length === 0) throw new Error("Coffer ended without writing its CPU profile");
  const sorted = files.sort((a, b) => a.thread - b.thread);
  return sorted.map(({ name }) => JSON.parse(readFileSync(join(folder, name), "utf8")) as CpuProfile);
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

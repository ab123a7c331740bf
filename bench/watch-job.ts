import { fork } from "node:child_process";
import { once } from "node:events";
import type { Target } from "./job.ts";

/** The job of a process of watchers. */
export interface WatchJob {
  readonly target: Target;
  /** Watchers of one secret each. */
  readonly ofOnePath: number;
  /** Watchers of all secrets. */
  readonly ofAll: number;
  /** Changes that begin in a second; undefined: the next one begins when the one before was delivered. */
  readonly perSecond: number | undefined;
  readonly warmUpMs: number;
  readonly measuredMs: number;
}

/** The times from the beginning of a change to its delivery, in milliseconds. */
export interface Deliveries {
  readonly changes: number;
  /** The number of deliveries if none is omitted. A server can omit a change that a later one has replaced. */
  readonly expected: number;
  readonly received: number;
  readonly p50: number;
  readonly p99: number;
  readonly worst: number;
}

/** Does a job in a separate process. */
export async function runWatchJob(job: WatchJob): Promise<Deliveries> {
  const child = fork(new URL("./watch-clients-process.js", import.meta.url));
  child.send(job);
  const [answer] = (await Promise.race([once(child, "message"), once(child, "exit")])) as [unknown];
  child.disconnect();
  if (typeof answer !== "object" || answer === null) throw new Error(`the watchers ended with exit code ${answer}`);
  const { kind, result, message } = answer as { kind: string; result: Deliveries; message: string };
  if (kind === "failed") throw new Error(`the watchers failed: ${message}`);
  return result;
}

import { type JobResult, type Target, runIn } from "./job.ts";

/** The job of a process of watchers. */
export interface WatchJob {
  readonly target: Target;
  /** The number of secrets that change, one after the other. */
  readonly secrets: number;
  /** Watchers of one of these secrets each. */
  readonly ofOnePath: number;
  /** Watchers of all secrets. */
  readonly ofAll: number;
  /** Changes that begin in a second; undefined: the next one begins when the one before was delivered. */
  readonly perSecond: number | undefined;
  readonly warmUpMs: number;
  readonly measuredMs: number;
}

/** What the watchers of a job received. Latencies are from the beginning of a change. */
export interface Deliveries {
  /** The number of deliveries if none is omitted. A server can omit a change that a later one has replaced. */
  readonly due: number;
  /** Each delivery counts as a call. */
  readonly delivered: JobResult;
  /** The answers to the same changes. */
  readonly answered: JobResult;
}

/** Does a job in a separate process. */
export function runWatchJob(job: WatchJob): Promise<Deliveries> {
  return runIn("./watch-clients-process.js", job);
}

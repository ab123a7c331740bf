import { type ChildProcess, fork } from "node:child_process";

/** What the calls do. */
export type Operation = "get" | "put";

/** Whose messages they are made of. */
export type Protocol = "coffer" | "etcd";

/** Which secrets the calls name. */
export type Numbers =
  /** Any of 0 to `below` - 1, with repetition. */
  | { readonly kind: "random"; readonly below: number }
  /** Every one once, upwards. */
  | { readonly kind: "sequence"; readonly from: number };

/** When the job is over. */
type Extent =
  /** After a time, in milliseconds, of which only the calls after the warm-up count. */
  | { readonly kind: "timed"; readonly warmUpMs: number; readonly measuredMs: number }
  /** After so many calls, all of which count. */
  | { readonly kind: "counted"; readonly calls: number };

/** One piece of work for the client process. */
export interface Job {
  readonly target: Target;
  readonly operation: Operation;
  readonly numbers: Numbers;
  readonly connections: number;
  /** Calls in flight on each connection. */
  readonly inFlight: number;
  readonly extent: Extent;
}

/** One piece of work for a client that makes Gets at a fixed pace on one connection. */
export interface PacedJob {
  readonly target: Target;
  /** The calls name any of so many secrets. */
  readonly secrets: number;
  /** Calls that begin in a second, whether or not those before were answered. */
  readonly perSecond: number;
  readonly warmUpMs: number;
  readonly measuredMs: number;
}

/** A server, as its client needs to know it. */
export interface Target {
  readonly protocol: Protocol;
  /** On 127.0.0.1. */
  readonly port: number;
  /** The process whose CPU time is measured. */
  readonly pid: number;
  /** PEM files: the client's certificate and key, and what it trusts. */
  readonly cert: string;
  readonly key: string;
  readonly bundle: string;
}

/** What the calls of a job came to. Errors are no calls: they are counted beside them and have no latency. */
export interface JobResult {
  readonly calls: number;
  /** How often each kind of failure came. */
  readonly errors: Readonly<Record<string, number>>;
  readonly seconds: number;
  /** Calls a second. */
  readonly rate: number;
  /** Latencies in milliseconds. */
  readonly p50: number;
  readonly p99: number;
  readonly worst: number;
  /** CPU time of the server in microseconds for each call. */
  readonly serverMicros: number;
  /** The share of one core that the client took. Near 1, the client was the bottleneck and the rates mean nothing. */
  readonly clientLoad: number;
  /** The cores that neither server nor client had: other programs, or other machines on the same hardware. */
  readonly othersLoad: number;
  /** When the measured time began and ended, in microseconds of the machine's monotonic clock. */
  readonly window: { readonly from: number; readonly to: number };
}

/** What the client process answers. */
export type JobAnswer =
  | { readonly kind: "done"; readonly result: JobResult }
  | { readonly kind: "failed"; readonly message: string };

/** Does a job in a client process of its own, so that the client's work is not the server's. */
export function runJob(job: Job): Promise<JobResult> {
  return runIn("./client.js", job);
}

/** Does a paced job in a client process of its own. */
export function runPacedJob(job: PacedJob): Promise<JobResult> {
  return runIn("./paced-client.js", job);
}

async function runIn(module: string, job: Job | PacedJob): Promise<JobResult> {
  const client = fork(new URL(module, import.meta.url), { serialization: "advanced" });
  client.send(job);
  const answer = await answerOf(client);
  if (answer.kind === "failed") throw new Error(`the client failed: ${answer.message}`);
  return answer.result;
}

function answerOf(client: ChildProcess): Promise<JobAnswer> {
  return new Promise((resolve, reject) => {
    client.once("message", (answer) => resolve(answer as JobAnswer));
    client.once("error", reject);
    client.once("exit", (code) => reject(new Error(`the client ended with exit code ${code} and without a result`)));
  });
}

import { type ChildProcess, type Serializable, fork } from "node:child_process";

/** The method that a job calls. */
export type Operation = "get" | "put";

/** The server's API. */
export type Protocol = "coffer" | "etcd";

/** The numbers of the secrets that the calls name. */
export type Numbers =
  /** Random numbers from 0 to `below` - 1, with repetition. */
  | { readonly kind: "random"; readonly below: number }
  /** Ascending numbers, each once. */
  | { readonly kind: "sequence"; readonly from: number };

/** The end of a job. */
type Extent =
  /** After a time in milliseconds. Only the calls after the warm-up count. */
  | { readonly kind: "timed"; readonly warmUpMs: number; readonly measuredMs: number }
  /** After a number of calls, all of which count. */
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
  /** The number of secrets from which each call names a random one. */
  readonly secrets: number;
  /** Calls that start in a second, whether or not earlier ones were answered. */
  readonly perSecond: number;
  readonly warmUpMs: number;
  readonly measuredMs: number;
}

/** What a client needs to know about a server. */
export interface Target {
  readonly protocol: Protocol;
  /** On 127.0.0.1. */
  readonly port: number;
  /** The process whose CPU time is measured. */
  readonly pid: number;
  /** PEM files: the client's certificate and key, and the bundle that it trusts. */
  readonly cert: string;
  readonly key: string;
  readonly bundle: string;
}

/**
 * The result of a job. A failed call counts as an error, not as a call, and has no latency. There is one exception: a
 * call of a paced job that has no answer counts as an error and as a call, and its waiting time as a latency.
 */
export interface JobResult {
  readonly calls: number;
  /** The number of failures of each kind. */
  readonly errors: Readonly<Record<string, number>>;
  readonly seconds: number;
  /** Calls per second. */
  readonly rate: number;
  /** Latencies in milliseconds. */
  readonly p50: number;
  readonly p99: number;
  readonly worst: number;
  /** CPU time of the server in microseconds for each call. */
  readonly serverMicros: number;
  /** The same for each of its threads. */
  readonly serverThreads: ThreadTimes;
  /** The client's share of one core. Near 1, the client limited the result, and the rates have no meaning. */
  readonly clientLoad: number;
  /** The cores used by other programs, or by other virtual machines on the same hardware. */
  readonly othersLoad: number;
  /** The start and end of the measured time, in microseconds of the machine's monotonic clock. */
  readonly window: { readonly from: number; readonly to: number };
}

/** CPU time of the threads of a server in microseconds for each call. */
export interface ThreadTimes {
  readonly main: number;
  /** All other threads, including those of the language's runtime; the busiest first. */
  readonly others: readonly ThreadTime[];
}

/** CPU time of a thread in microseconds for each call. */
export interface ThreadTime {
  /** The thread's ID, as the kernel numbers it. */
  readonly id: number;
  readonly micros: number;
}

/** The answer of the client process. */
export type JobAnswer<Result> =
  | { readonly kind: "done"; readonly result: Result }
  | { readonly kind: "failed"; readonly message: string };

/** Does a job in a separate client process, so that the client's work does not count as the server's. */
export function runJob(job: Job): Promise<JobResult> {
  return runIn("./client.js", job);
}

/** Does a paced job in a separate client process. */
export function runPacedJob(job: PacedJob): Promise<JobResult> {
  return runIn("./paced-client.js", job);
}

/** Does a job in a separate process that runs `module`, which is relative to this folder. */
export async function runIn<Result>(module: string, job: Serializable): Promise<Result> {
  const client = fork(new URL(module, import.meta.url), { serialization: "advanced" });
  client.send(job);
  const answer = await answerOf<Result>(client);
  if (answer.kind === "failed") throw new Error(`the client failed: ${answer.message}`);
  return answer.result;
}

function answerOf<Result>(client: ChildProcess): Promise<JobAnswer<Result>> {
  return new Promise((resolve, reject) => {
    client.once("message", (answer) => resolve(answer as JobAnswer<Result>));
    client.once("error", reject);
    client.once("exit", (code) => reject(new Error(`the client ended with exit code ${code} and without a result`)));
  });
}

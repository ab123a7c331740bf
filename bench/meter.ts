import { createHistogram } from "node:perf_hooks";
import type { JobResult, ThreadTimes } from "./job.ts";
import { cpuMicros, machineCpuMicros, threadMicros } from "./process-stat.ts";

/** The outcome of a call. */
export type Outcome = { readonly kind: "ok" } | { readonly kind: "error"; readonly what: string };

/** Measures calls over a period, and the CPU time that the server, the client and other processes use during it. */
export class Meter {
  readonly #serverPid: number;
  readonly #latencies = createHistogram({ lowest: 1, figures: 3 });
  readonly #errors = new Map<string, number>();
  #start: Reading | undefined;
  #end: Reading | undefined;

  constructor(serverPid: number) {
    this.#serverPid = serverPid;
  }

  /** Starts the measurement. */
  start(): void {
    this.#start = this.#read();
  }

  /** Ends the measurement. */
  stop(): void {
    this.#end = this.#read();
  }

  /**
   * Records a call that has just ended. `startedAt` is a time of performance.now(). A successful call counts only between
   * start() and stop(); an error also counts before and after.
   */
  record(outcome: Outcome, startedAt: number): void {
    if (outcome.kind === "error") this.#errors.set(outcome.what, (this.#errors.get(outcome.what) ?? 0) + 1);
    else if (this.#start !== undefined && this.#end === undefined)
      this.#latencies.record(Math.max(1, Math.round((performance.now() - startedAt) * 1000)));
  }

  /** Records a call without an answer as an error, and its waiting time so far as a latency. Call it before stop(). */
  recordUnanswered(startedAt: number): void {
    this.record({ kind: "error", what: "no answer" }, startedAt);
    this.record({ kind: "ok" }, startedAt);
  }

  /** Returns the result. Call it after stop(). */
  result(): JobResult {
    const from = this.#start!;
    const to = this.#end!;
    const micros = to.at - from.at;
    const [server, client, machine] = [to.server - from.server, to.client - from.client, to.machine - from.machine];
    const calls = this.#latencies.count;
    return {
      calls,
      errors: Object.fromEntries(this.#errors),
      seconds: micros / 1e6,
      rate: (calls / micros) * 1e6,
      p50: this.#latencies.percentile(50) / 1000,
      p99: this.#latencies.percentile(99) / 1000,
      worst: this.#latencies.max / 1000,
      serverMicros: server / calls,
      serverThreads: threadTimes(this.#serverPid, from.threads, to.threads, calls),
      clientLoad: client / micros,
      othersLoad: Math.max(0, machine - server - client) / micros,
      window: { from: from.at, to: to.at },
    };
  }

  #read(): Reading {
    const { user, system } = process.cpuUsage();
    const at = Number(process.hrtime.bigint() / 1000n);
    const [server, threads] = [cpuMicros(this.#serverPid), threadMicros(this.#serverPid)];
    return { at, server, threads, client: user + system, machine: machineCpuMicros() };
  }
}

/** The CPU time of each thread for each call. A thread that started in between had none before. */
function threadTimes(pid: number, from: Reading["threads"], to: Reading["threads"], calls: number): ThreadTimes {
  const perCall = [...to].map(([id, micros]) => ({ id, micros: (micros - (from.get(id) ?? 0)) / calls }));
  const others = perCall.filter(({ id }) => id !== pid).sort((a, b) => b.micros - a.micros);
  return { main: perCall.find(({ id }) => id === pid)?.micros ?? 0, others };
}

/** The time of the monotonic clock, and the CPU times used so far, in microseconds. */
interface Reading {
  readonly at: number;
  readonly server: number;
  /** The CPU time of each thread of the server, by the thread's id. */
  readonly threads: ReadonlyMap<number, number>;
  readonly client: number;
  readonly machine: number;
}

import { setTimeout as sleep } from "node:timers/promises";
import { Connection, type Work } from "./connection.ts";
import type { Job, JobResult, Numbers } from "./job.ts";
import { takeJob } from "./job-process.ts";
import { Meter } from "./meter.ts";
import { RequestTemplate } from "./request.ts";

/** The client process. */
takeJob(doJob);

async function doJob(job: Job): Promise<JobResult> {
  const meter = new Meter(job.target.pid);
  const numbers = new NumberSource(job.numbers, job.extent.kind === "counted" ? job.extent.calls : undefined);
  const lanes = Promise.all(Array.from({ length: job.connections }, () => keepBusy(job, numbers, meter)));
  await Promise.all([lanes, measure(job, numbers, meter, lanes)]);
  return meter.result();
}

async function measure(job: Job, numbers: NumberSource, meter: Meter, finished: Promise<unknown>): Promise<void> {
  const { extent } = job;
  if (extent.kind === "timed") await sleep(extent.warmUpMs);
  meter.start();
  await (extent.kind === "timed" ? sleep(extent.measuredMs) : finished);
  meter.stop();
  numbers.end();
}

/** One connection at a time; another takes its place when the server wants no more calls on it. */
async function keepBusy(job: Job, numbers: NumberSource, meter: Meter): Promise<void> {
  const { target } = job;
  const work: Work = {
    template: new RequestTemplate(target.protocol, job.operation, `localhost:${target.port}`),
    inFlight: job.inFlight,
    next: () => numbers.next(),
    ended: (outcome, startedAt) => meter.record(outcome, startedAt),
  };
  while (!numbers.ended) await (await Connection.open(target, work)).run();
}

/** Hands out the numbers of secrets until it is ended. */
class NumberSource {
  readonly #numbers: Numbers;
  #left: number;
  #handedOut = 0;

  constructor(numbers: Numbers, calls = Number.POSITIVE_INFINITY) {
    this.#numbers = numbers;
    this.#left = calls;
  }

  get ended(): boolean {
    return this.#left <= 0;
  }

  end(): void {
    this.#left = 0;
  }

  next(): number | undefined {
    if (this.ended) return undefined;
    this.#left -= 1;
    this.#handedOut += 1;
    const numbers = this.#numbers;
    return numbers.kind === "random" ? Math.floor(Math.random() * numbers.below) : numbers.from + this.#handedOut - 1;
  }
}

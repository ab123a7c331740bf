import { setTimeout as sleep } from "node:timers/promises";
import { Connection, type Work } from "./connection.ts";
import type { Job, JobResult, Numbers } from "./job.ts";
import { takeJob } from "./job-process.ts";
import { Meter } from "./meter.ts";
import { RequestTemplate } from "./request.ts";

// The process of a client, which does one job.
takeJob(doJob);

async function doJob(job: Job): Promise<JobResult> {
  const meter = new Meter(job.target.pid);
  const numbers = new NumberSource(job.numbers, job.extent.kind === "counted" ? job.extent.calls : undefined);
  const connections = Promise.all(Array.from({ length: job.connections }, () => keepBusy(job, numbers, meter)));
  await Promise.all([connections, measure(job, numbers, meter, connections)]);
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

/** Uses one connection at a time, and opens another when the server has sent GOAWAY. */
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

/** Returns the numbers of secrets, at most `calls` of them, until `end` is called. */
class NumberSource {
  readonly #numbers: Numbers;
  #left: number;
  #returned = 0;

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
    this.#returned += 1;
    const numbers = this.#numbers;
    return numbers.kind === "random" ? Math.floor(Math.random() * numbers.below) : numbers.from + this.#returned - 1;
  }
}

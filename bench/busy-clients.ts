import { Connection, type Work } from "./connection.ts";
import type { Job, Numbers } from "./job.ts";
import type { Meter } from "./meter.ts";
import { RequestTemplate } from "./request.ts";

/** Clients that always have the same number of calls in flight. */
export class BusyClients {
  /** Resolves when the last call has ended; rejects if a connection fails. */
  readonly finished: Promise<unknown>;
  readonly #numbers: NumberSource;

  /** Starts the clients, which make `calls` calls, by default until `end` is called. */
  constructor(job: Omit<Job, "extent">, meter: Pick<Meter, "record">, calls = Number.POSITIVE_INFINITY) {
    const numbers = new NumberSource(job.numbers, calls);
    this.#numbers = numbers;
    this.finished = Promise.all(Array.from({ length: job.connections }, () => keepBusy(job, numbers, meter)));
  }

  /** Starts no further call. */
  end(): void {
    this.#numbers.end();
  }
}

/** Uses one connection at a time, and opens another when the server has sent GOAWAY. */
async function keepBusy(
  { target, operation, inFlight }: Omit<Job, "extent">,
  numbers: NumberSource,
  meter: Pick<Meter, "record">,
): Promise<void> {
  const work: Work = {
    template: new RequestTemplate(target.protocol, operation, `localhost:${target.port}`),
    inFlight,
    next: () => numbers.next(),
    ended: (outcome, startedAt) => meter.record(outcome, startedAt),
  };
  while (!numbers.ended) await (await Connection.open(target, work)).run();
}

/** Returns the numbers of secrets until `end` is called. */
class NumberSource {
  readonly #numbers: Numbers;
  #left: number;
  #returned = 0;

  constructor(numbers: Numbers, calls: number) {
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

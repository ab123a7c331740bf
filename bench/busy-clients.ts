import { Connection, type Work } from "./connection.ts";
import type { Job, Numbers } from "./job.ts";
import type { Meter } from "./meter.ts";
import { RequestTemplate } from "./request.ts";

/** Clients that always have the same number of calls in flight. */
export class BusyClients {
  /** Resolves when the last call has ended; rejects if a connection fails. */
  readonly finished: Promise<unknown>;
  readonly #numbers: NumberSource;

  private constructor(numbers: NumberSource, finished: Promise<unknown>) {
    this.#numbers = numbers;
    this.finished = finished;
  }

  /**
   * Starts the clients when all their connections are open, so that no handshake waits for a busy server. Together, they
   * make `calls` calls, or, by default, calls until `end` is called.
   */
  static async start(
    job: Omit<Job, "extent">,
    meter: Pick<Meter, "record">,
    calls = Number.POSITIVE_INFINITY,
  ): Promise<BusyClients> {
    const numbers = new NumberSource(job.numbers, calls);
    const work = workOf(job, numbers, meter);
    const open = () => Connection.open(job.target, work);
    const connections = await Promise.all(Array.from({ length: job.connections }, open));
    const finished = Promise.all(connections.map((connection) => keepBusy(connection, open, numbers)));
    return new BusyClients(numbers, finished);
  }

  /** Starts no further call. */
  end(): void {
    this.#numbers.end();
  }
}

function workOf(job: Omit<Job, "extent">, numbers: NumberSource, meter: Pick<Meter, "record">): Work {
  const { target, operation, inFlight } = job;
  return {
    template: new RequestTemplate(target.protocol, operation, `localhost:${target.port}`),
    inFlight,
    next: () => numbers.next(),
    ended: (outcome, startedAt) => meter.record(outcome, startedAt),
  };
}

/** Uses one connection at a time, and opens another when the server has sent GOAWAY. */
async function keepBusy(first: Connection, open: () => Promise<Connection>, numbers: NumberSource): Promise<void> {
  await first.run();
  while (!numbers.ended) await (await open()).run();
}

/** Returns the numbers of secrets, at most `calls` of them, until `end` is called. */
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

import type { Target } from "./job.ts";
import { Link, type LinkListener, Setting, failure, openSocket } from "./link.ts";
import type { Outcome } from "./meter.ts";
import type { RequestTemplate } from "./request.ts";

/** The calls that a connection makes. */
export interface Work {
  readonly template: RequestTemplate;
  /** Calls in flight. */
  readonly inFlight: number;
  /** The number of the secret in the next call; undefined after the last call. */
  next(): number | undefined;
  /** Receives the outcome of a call. `startedAt`, a time of performance.now(), is its start. */
  ended(outcome: Outcome, startedAt: number): void;
}

/** A connection that always has the same number of gRPC calls in flight. */
export class Connection implements LinkListener {
  readonly #work: Work;
  readonly #link: Link;
  readonly #calls = new Map<number, Call>();
  #nextStream = 1;
  /** Whether no further call may start: there is none, or the server sent GOAWAY, or the stream ids are used up. */
  #closing = false;
  #finish: () => void = () => {};

  private constructor(socket: Awaited<ReturnType<typeof openSocket>>, work: Work) {
    this.#work = work;
    this.#link = new Link(socket, this);
  }

  /** Connects to the server and performs the TLS handshake. */
  static async open(target: Target, work: Work): Promise<Connection> {
    return new Connection(await openSocket(target), work);
  }

  /** Makes calls until the last one, or until the server sends GOAWAY. Rejects if the connection fails. */
  async run(): Promise<void> {
    const finished = new Promise<void>((resolve, reject) => {
      this.#finish = resolve;
      this.#link.start(reject);
    });
    this.processed();
    await finished;
    this.#link.close();
  }

  /** Starts as many calls as the limits allow, in one write. */
  processed(): void {
    const { template } = this.#work;
    const numbers = this.#pull(Math.floor(this.#link.sendWindow / template.flowControlled));
    if (numbers.length > 0) this.#link.write(this.#begin(numbers), numbers.length * template.flowControlled);
    else if (this.#closing && this.#calls.size === 0) this.#finish();
  }

  data(streamId: number, payload: Buffer): void {
    const call = this.#calls.get(streamId);
    if (call !== undefined) call.replyBytes += payload.length;
  }

  ended(streamId: number, outcome: Outcome): void {
    const call = this.#calls.get(streamId);
    if (call === undefined) return;
    this.#calls.delete(streamId);
    const isShort = outcome.kind === "ok" && call.replyBytes < this.#work.template.leastReply;
    this.#work.ended(isShort ? failure("a reply that is too short") : outcome, call.startedAt);
  }

  /** Throws if a limit of the server is below the job's need, which would silently change the measurement. */
  setting(id: number, value: number): void {
    const { inFlight, template } = this.#work;
    if (id === Setting.maxConcurrentStreams && value < inFlight)
      throw new Error(
        `the server allows ${value} calls in flight on a connection, fewer than the ${inFlight} of this run`,
      );
    if (id === Setting.initialWindowSize && value < template.flowControlled)
      throw new Error(`the server's window of ${value} bytes is too small for one request`);
  }

  goAway(last: number): void {
    this.#closing = true;
    for (const streamId of this.#calls.keys()) if (streamId > last) this.ended(streamId, failure("GOAWAY"));
  }

  #pull(fitInWindow: number): number[] {
    const numbers: number[] = [];
    while (!this.#closing && numbers.length < Math.min(fitInWindow, this.#work.inFlight - this.#calls.size)) {
      const n = this.#nextStream + 2 * numbers.length > LAST_STREAM ? undefined : this.#work.next();
      if (n === undefined) this.#closing = true;
      else numbers.push(n);
    }
    return numbers;
  }

  #begin(numbers: readonly number[]): Buffer {
    const { template } = this.#work;
    const bytes = Buffer.allocUnsafe(numbers.length * template.size);
    const startedAt = performance.now();
    let offset = 0;
    for (const n of numbers) {
      offset = template.write(bytes, offset, this.#nextStream, n);
      this.#calls.set(this.#nextStream, { startedAt, replyBytes: 0 });
      this.#nextStream += 2;
    }
    return bytes;
  }
}

interface Call {
  readonly startedAt: number;
  replyBytes: number;
}

const LAST_STREAM = 2 ** 31 - 1;

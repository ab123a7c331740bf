import { Connection } from "../../bench/connection.ts";
import type { Operation, Target } from "../../bench/job.ts";
import type { Outcome } from "../../bench/meter.ts";
import { RequestTemplate } from "../../bench/request.ts";

/** The options of the load. */
export interface Lane {
  readonly operation: Operation;
  /** Calls in flight on each connection. */
  readonly inFlight: number;
  /** The address and the SVID of the next connection. */
  readonly target: () => Target;
}

/**
 * Calls by a client that never retries. It opens a connection, keeps `inFlight` calls open until it receives a GOAWAY,
 * waits for the outstanding responses, and only then opens the next connection. It uses no gRPC library, because that
 * could retry a call transparently (gRFC A6, "Transparent Retries").
 */
export class SingleAttemptLoad {
  readonly #onAnswered: () => void;
  readonly #failures = new Map<string, number>();
  #calls = 0;
  #goAways = 0;
  #connecting = 0;
  #state: "running" | "stopped" = "running";

  /** `onAnswered` runs after each successful call. */
  constructor(onAnswered: () => void) {
    this.#onAnswered = onAnswered;
  }

  /** Calls that have ended, with any result. */
  get calls(): number {
    return this.#calls;
  }

  /** Connections that ended with a GOAWAY. */
  get goAways(): number {
    return this.#goAways;
  }

  /** Whether a connection is being opened. */
  get isConnecting(): boolean {
    return this.#connecting > 0;
  }

  /** The number of failures of each kind; empty if every call succeeded. */
  get failures(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#failures);
  }

  /** Begins no more calls. */
  stop(): void {
    this.#state = "stopped";
  }

  /** Opens one connection after the other, until {@link stop} is called or `reconnects` returns false. */
  async run(lane: Lane, reconnects: () => boolean = () => true): Promise<void> {
    do {
      await this.#connect(lane);
      if (this.#state === "running") this.#goAways += 1;
    } while (this.#state === "running" && reconnects());
  }

  async #connect({ operation, inFlight, target }: Lane): Promise<void> {
    const to = target();
    let open = 0;
    this.#connecting += 1;
    const connection = await Connection.open(to, {
      template: new RequestTemplate(to.protocol, operation, `localhost:${to.port}`),
      inFlight,
      next: () => {
        if (this.#state === "stopped") return undefined;
        open += 1;
        return 0;
      },
      ended: (outcome) => {
        open -= 1;
        this.#ended(outcome);
      },
    });
    this.#connecting -= 1;
    await connection.run().catch((error: Error) => {
      this.#calls += open;
      this.#fail(open, error.message);
    });
  }

  #ended(outcome: Outcome): void {
    this.#calls += 1;
    if (outcome.kind === "ok") this.#onAnswered();
    else this.#fail(1, outcome.what);
  }

  #fail(calls: number, what: string): void {
    this.#failures.set(what, (this.#failures.get(what) ?? 0) + calls);
  }
}

import { Connection } from "../../bench/connection.ts";
import type { Operation, Target } from "../../bench/job.ts";
import type { Outcome } from "../../bench/meter.ts";
import { RequestTemplate } from "../../bench/request.ts";

/** What the load does on each of its connections. */
export interface Lane {
  readonly operation: Operation;
  /** Calls in flight. */
  readonly inFlight: number;
  /** Where the next connection goes, and with which SVID. */
  readonly target: () => Target;
}

/**
 * Calls by a client that forgives nothing: it opens a connection, keeps it full of calls until it has read a GOAWAY,
 * waits for the answers that are due, and only then opens the next one. No call is made twice, and there is no gRPC
 * library that could make it again unseen (gRFC A6, "Transparent Retries").
 */
export class SingleAttemptLoad {
  readonly #onAnswered: () => void;
  readonly #failures = new Map<string, number>();
  #calls = 0;
  #goAways = 0;
  #connecting = 0;
  #state: "running" | "stopped" = "running";

  /** `onAnswered` runs after each call that was answered with OK. */
  constructor(onAnswered: () => void) {
    this.#onAnswered = onAnswered;
  }

  /** Calls that ended, whatever they came to. */
  get calls(): number {
    return this.#calls;
  }

  /** Connections that ended by a GOAWAY. */
  get goAways(): number {
    return this.#goAways;
  }

  /** Whether a connection is being made at this moment. */
  get isConnecting(): boolean {
    return this.#connecting > 0;
  }

  /** How often each kind of failure came; empty when every call was answered with OK. */
  get failures(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#failures);
  }

  /** Begins no call any more. */
  stop(): void {
    this.#state = "stopped";
  }

  /** Opens one connection after the other until it is stopped, or for as long as `reconnects` says. */
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

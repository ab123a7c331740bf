import type { Timers } from "../domain/timers.ts";
import type { IdentitySnapshot, IdentitySource, IdentityState } from "../identity/source.ts";
import type { SpiffeId } from "../spiffe/spiffe-id.ts";
import type { Logger } from "../observability/logger.ts";
import type { Metrics } from "../observability/metrics.ts";
import type { Check } from "../observability/server-status.ts";
import type { IdentityReading } from "../observability/readings.ts";

/** What is needed to watch an identity. */
export interface IdentityWatchOptions {
  readonly source: IdentitySource;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly timers: Timers;
}

// The part of an SVID's life that is left when its renewal is overdue: SPIRE's are renewed when half of it is left.
const OVERDUE_SHARE = 1 / 3;

// How often the time is compared, in milliseconds: the clock may be set, and timers know no more than 24 days.
const LOOK_MS = 60_000;

/** Tells what becomes of our identity: the log what happens, the metrics for how long it is good, probes whether it is. */
export class IdentityWatch {
  readonly #options: IdentityWatchOptions;
  readonly #stops: readonly (() => void)[];
  #told: readonly string[] = [];
  #lastUpdate: number | undefined;
  /** The SPIFFE ID of the last snapshot. */
  #id: SpiffeId | undefined;
  #stopLooking = () => {};

  constructor(options: IdentityWatchOptions) {
    this.#options = options;
    const { source, metrics } = options;
    metrics.observeIdentity(() => this.#read());
    this.#stops = [
      source.onChange((snapshot) => this.#adopted(snapshot)),
      source.onState((state) => this.#tellProblems(state)),
    ];
    this.#tellFirst(source.state);
  }

  /** For probes. */
  get check(): Check {
    const { state } = this.#options.source;
    if (state.kind === "ready") return { name: "identity", state: "ok" };
    return { name: "identity", state: "not ready", why: state.problems.join("; ") };
  }

  /** Nothing is told any more. */
  close(): void {
    this.#stopLooking();
    for (const stop of this.#stops) stop();
  }

  #adopted(snapshot: IdentitySnapshot): void {
    const { log, timers } = this.#options;
    const bundles = [...snapshot.bundles];
    this.#warnOfChange(snapshot.svid.id);
    this.#lastUpdate = timers.clock();
    // What was told before was about having none.
    this.#told = [];
    log.info("identity adopted", {
      spiffe_id: snapshot.svid.id.toString(),
      generation: snapshot.generation,
      valid_until: new Date(snapshot.validUntil).toISOString(),
      trust_domain: bundles.map(([name]) => name).join(" "),
      detail: `authorities: ${bundles.map(([name, { authorities }]) => `${name} ${authorities.length}`).join(", ")}`,
    });
    this.#awaitOverdue(snapshot);
  }

  /** Clients know the server by its ID alone, and refuse it with another one. */
  #warnOfChange(id: SpiffeId): void {
    const before = this.#id;
    this.#id = id;
    if (before === undefined || before.equals(id)) return;
    this.#options.log.warn("identity changed", { spiffe_id: id.toString(), detail: `the server was ${before} before` });
  }

  /** That nothing has come in the first moment is no reason to warn. */
  #tellFirst(state: IdentityState): void {
    if (state.kind === "ready") this.#adopted(state.snapshot);
    for (const detail of state.problems) this.#options.log.info("waiting for an identity", { detail });
    this.#told = state.problems;
  }

  /** Each sentence once, as long as it stays true. */
  #tellProblems({ kind, problems }: IdentityState): void {
    const { log } = this.#options;
    const news = problems.filter((problem) => !this.#told.includes(problem));
    for (const detail of news) log.warn(kind === "ready" ? "identity kept" : "no identity", { detail });
    if (problems.length === 0 && this.#told.length > 0) log.info("identity confirmed");
    this.#told = problems;
  }

  #awaitOverdue(snapshot: IdentitySnapshot): void {
    const { timers } = this.#options;
    const { validUntil, svid } = snapshot;
    const left = validUntil - (validUntil - svid.notBefore) * OVERDUE_SHARE - timers.clock();
    this.#stopLooking();
    this.#stopLooking =
      left > 0
        ? timers.delay(Math.min(left, LOOK_MS), () => this.#awaitOverdue(snapshot))
        : timers.delay(0, () => this.#warnOverdue(snapshot));
  }

  #warnOverdue({ validUntil, svid }: IdentitySnapshot): void {
    this.#options.log.warn("identity renewal overdue", {
      spiffe_id: svid.id.toString(),
      valid_until: new Date(validUntil).toISOString(),
      detail: "less than a third of the SVID's life is left, and no new one has come",
    });
  }

  #read(): IdentityReading {
    const { state } = this.#options.source;
    const lastUpdate = this.#lastUpdate;
    if (state.kind !== "ready") return { validUntil: undefined, bundles: new Map(), lastUpdate };
    const { validUntil, bundles } = state.snapshot;
    return {
      validUntil,
      bundles: new Map([...bundles].map(([name, bundle]) => [name, bundle.notAfter])),
      lastUpdate,
    };
  }
}

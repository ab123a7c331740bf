import type { Timers } from "../domain/timers.ts";
import type { IdentitySnapshot, IdentitySource, IdentityState } from "../identity/source.ts";
import type { SpiffeId } from "../spiffe/spiffe-id.ts";
import type { Logger } from "../observability/logger.ts";
import type { Metrics } from "../observability/metrics.ts";
import type { Check } from "../observability/server-status.ts";
import type { IdentityReading } from "../observability/readings.ts";

/** The dependencies of an {@link IdentityWatch}. */
export interface IdentityWatchOptions {
  readonly source: IdentitySource;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly timers: Timers;
}

// The remaining share of an SVID's lifetime at which its renewal is overdue. SPIRE renews an SVID at half of its
// lifetime.
const OVERDUE_SHARE = 1 / 3;

// The time between two checks of the clock, in milliseconds. A single timer would not notice that the clock was set,
// and a timer of Node can't wait for more than 24 days.
const CHECK_MS = 60_000;

/**
 * Reports the state of the server's identity. The log gets its changes and problems, the metrics get its expiry, and
 * /readyz gets whether there is an identity.
 */
export class IdentityWatch {
  readonly #options: IdentityWatchOptions;
  readonly #stops: readonly (() => void)[];
  /** The problems of the current state that have been logged. */
  #logged: readonly string[] = [];
  #lastUpdate: number | undefined;
  /** The SPIFFE ID of the last snapshot. */
  #id: SpiffeId | undefined;
  #cancelCheck = () => {};

  constructor(options: IdentityWatchOptions) {
    this.#options = options;
    const { source, metrics } = options;
    metrics.observeIdentity(() => this.#read());
    this.#stops = [
      source.onChange((snapshot) => this.#adopted(snapshot)),
      source.onState((state) => this.#logProblems(state)),
    ];
    this.#logFirst(source.state);
  }

  /** The check of the identity for /readyz. */
  get check(): Check {
    const { state } = this.#options.source;
    if (state.kind === "ready") return { name: "identity", state: "ok" };
    return { name: "identity", state: "not ready", why: state.problems.join("; ") };
  }

  /** Stops reporting. */
  close(): void {
    this.#cancelCheck();
    for (const stop of this.#stops) stop();
  }

  #adopted(snapshot: IdentitySnapshot): void {
    const { log, timers } = this.#options;
    const bundles = [...snapshot.bundles];
    this.#warnOfChange(snapshot.svid.id);
    this.#lastUpdate = timers.clock();
    // The problems that were logged before concerned the previous state.
    this.#logged = [];
    log.info("identity updated", {
      spiffe_id: snapshot.svid.id.toString(),
      generation: snapshot.generation,
      valid_until: new Date(snapshot.validUntil).toISOString(),
      trust_domain: bundles.map(([name]) => name).join(" "),
      detail: `CA certificates: ${bundles.map(([name, { authorities }]) => `${name} ${authorities.length}`).join(", ")}`,
    });
    this.#awaitOverdue(snapshot);
  }

  /** Clients identify the server only by its SPIFFE ID, and refuse it if the ID changes. */
  #warnOfChange(id: SpiffeId): void {
    const before = this.#id;
    this.#id = id;
    if (before === undefined || before.equals(id)) return;
    this.#options.log.warn("identity changed", {
      spiffe_id: id.toString(),
      detail: `the previous SPIFFE ID was ${before}`,
    });
  }

  /** At the start an identity is usually still missing, so this is logged at info and not as a warning. */
  #logFirst(state: IdentityState): void {
    if (state.kind === "ready") this.#adopted(state.snapshot);
    for (const detail of state.problems) this.#options.log.info("waiting for an identity", { detail });
    this.#logged = state.problems;
  }

  /** Logs each problem once, for as long as it lasts. */
  #logProblems({ kind, problems }: IdentityState): void {
    const { log } = this.#options;
    const news = problems.filter((problem) => !this.#logged.includes(problem));
    for (const detail of news) log.warn(kind === "ready" ? "identity update failed" : "no identity", { detail });
    if (problems.length === 0 && this.#logged.length > 0) log.info("identity source recovered");
    this.#logged = problems;
  }

  #awaitOverdue(snapshot: IdentitySnapshot): void {
    const { timers } = this.#options;
    const { validUntil, svid } = snapshot;
    const left = validUntil - (validUntil - svid.notBefore) * OVERDUE_SHARE - timers.clock();
    this.#cancelCheck();
    this.#cancelCheck =
      left > 0
        ? timers.delay(Math.min(left, CHECK_MS), () => this.#awaitOverdue(snapshot))
        : timers.delay(0, () => this.#warnOverdue(snapshot));
  }

  #warnOverdue({ validUntil, svid }: IdentitySnapshot): void {
    this.#options.log.warn("identity renewal overdue", {
      spiffe_id: svid.id.toString(),
      valid_until: new Date(validUntil).toISOString(),
      detail: "less than a third of the SVID's lifetime is left, and no new SVID has arrived",
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

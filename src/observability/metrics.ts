import { Counter, Gauge, Registry } from "prom-client";
import type { CallCounters } from "./call-counters.ts";
import { Distribution } from "./distribution.ts";
import { EventLoopDelay, frontName } from "./event-loop-delay.ts";
import {
  type ScrapedMetric,
  codeSeries,
  durationSeries,
  histogramSeries,
  labelled,
  registerScraped,
} from "./scraped-metric.ts";
import type { SharedDelays } from "./shared-delays.ts";
import type { Check } from "./server-status.ts";
import type { BuildInfo, ConnectionLimits, IdentityReading, LoadedPolicyReading, StoreReading } from "./readings.ts";

/** The metrics in the text format of Prometheus. */
export interface Exposition {
  readonly contentType: string;
  readonly body: string;
}

// In seconds. A commit on a failing disk can take seconds.
const COMMIT_BUCKETS = [0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5];
const GROUP_BUCKETS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];

/**
 * The server's metrics, which docs/metrics.md lists. No label contains a path or a SPIFFE ID: a client that can read
 * metrics must not learn the names of secrets and workloads, and each name would be a separate time series.
 */
export class Metrics {
  readonly #registry = new Registry();
  readonly #registers = [this.#registry];
  readonly #delay: EventLoopDelay;
  readonly #counters: CallCounters;

  readonly #commit = new Distribution(COMMIT_BUCKETS);
  readonly #changes = new Distribution(GROUP_BUCKETS);
  readonly #queueWait = new Distribution(COMMIT_BUCKETS);

  readonly #load = new Gauge({
    name: "coffer_load_seconds",
    help: "Time that the last start took to read the journal into memory.",
    registers: this.#registers,
  });

  /**
   * `calls` are the counters of all fronts. Their series start at zero, so that the first failure is an increase. `delays`
   * are those of the fronts in other threads; undefined if there are none.
   */
  constructor(build: BuildInfo, calls: CallCounters, delays?: SharedDelays) {
    this.#counters = calls;
    this.#labelledGauge("coffer_build_info", "Always 1. The labels have the release and the version of Node.", [
      "version",
      "node",
    ]).set({ version: build.version, node: build.node }, 1);
    this.#gauge("process_resident_memory_bytes", "Resident memory of the process.", () => process.memoryUsage.rss());
    const start = performance.timeOrigin / 1000;
    this.#gauge("process_start_time_seconds", "When the process started, as Unix time.", () => start);
    this.#counter("process_cpu_seconds_total", "CPU time of the process, user and system.", cpuSeconds);
    this.#gauge("coffer_threads", "Threads that answer calls, --threads.", () => calls.fronts);
    this.#delay = new EventLoopDelay(this.#registry, delays);
    this.#registerCalls(calls);
    this.#registerWatches(calls);
    this.#registerCommits();
  }

  /** One commit made `changes` changes durable. */
  committed(seconds: number, changes: number): void {
    this.#commit.observe(seconds);
    this.#changes.observe(changes);
  }

  /** One change waited this long before its commit began. */
  waited(seconds: number): void {
    this.#queueWait.observe(seconds);
  }

  /** The journal was read into memory. */
  loaded(seconds: number): void {
    this.#load.set(seconds);
  }

  /** Registers the metrics of open connections, and their limits in the process. Call it once. */
  observeConnections(limits: ConnectionLimits): void {
    const read = () => this.#counters.connections();
    this.#gauge("coffer_connections", "Open connections, in handshake or served.", () => read().open);
    this.#gauge(
      "coffer_connections_limit",
      "The limit on open connections, --max-connections.",
      () => limits.connections,
    );
    const handshakes = "Connections whose handshake is not complete.";
    this.#gauge("coffer_handshakes_in_progress", handshakes, () => read().inProgress);
    this.#gauge("coffer_handshakes_in_progress_limit", "The limit, --max-handshakes.", () => limits.inProgress);
    this.#counter("coffer_handshakes_total", "Handshakes that have begun.", () => read().begun);
    this.#gauge("coffer_handshake_rate_limit", "The limit, --handshake-rate.", () => limits.perSecond);
  }

  /** Registers the metrics of the server's identity. Call it once. */
  observeIdentity(read: () => IdentityReading): void {
    this.#gauge(
      "coffer_svid_not_after_seconds",
      "When the server's SVID expires, as Unix time; 0: there is none.",
      () => unixTime(read().validUntil),
    );
    this.#gauge("coffer_source_last_update_seconds", "When the identity last changed, as Unix time.", () =>
      unixTime(read().lastUpdate),
    );
    this.#gaugeBy(
      "trust_domain",
      "coffer_bundle_not_after_seconds",
      "When the last CA certificate in the bundle of a trust domain expires, as Unix time; 0: the bundle is empty.",
      () => [...read().bundles].map(([name, notAfter]) => [name, unixTime(notAfter)]),
    );
  }

  /** Registers the metrics of the checks of /readyz. Call it once. */
  observeReadiness(read: () => readonly Check[]): void {
    this.#gaugeBy("check", "coffer_ready", "1: this check of /readyz is ok; 0: it is not.", () =>
      read().map(({ name, state }) => [name, Number(state === "ok")]),
    );
  }

  /** Registers the metrics of the policy. Call it once. */
  observePolicy(read: () => LoadedPolicyReading): void {
    this.#gauge(
      "coffer_policy_loaded",
      "1: the policy file, as last read, is in force; 0: it was refused, and the previous policy is in force.",
      () => Number(read().isNewest),
    );
    this.#gauge("coffer_policy_last_load_seconds", "When the policy in force was read, as Unix time.", () =>
      unixTime(read().lastLoad),
    );
  }

  /** Registers the metrics of the store's size. Call it once, after the store is loaded. */
  observeStore(read: () => StoreReading): void {
    this.#gauge("coffer_secrets", "Secrets in the store.", () => read().secrets);
    this.#gauge("coffer_versions", "Retained versions in any state.", () => read().versions);
    this.#gauge("coffer_tombstones", "Tombstones of purged secrets.", () => read().tombstones);
    this.#gauge("coffer_request_ids", "Remembered request ids of all callers.", () => read().requestIds);
    this.#gauge("coffer_store_bytes", "Memory that counts against the limit.", () => read().bytes);
    this.#gauge("coffer_store_limit_bytes", "The limit, --max-store-bytes.", () => read().limit);
    if (read().disk === undefined) return;
    this.#gauge(
      "coffer_disk_free_bytes",
      "Free bytes on the disk of the store, for users other than root.",
      () => read().disk?.free ?? 0,
    );
    const reserve = "Free bytes that the smallest change needs.";
    this.#gauge("coffer_disk_reserve_bytes", reserve, () => read().disk?.reserve ?? 0);
  }

  /** Returns all metrics as text. */
  async expose(): Promise<Exposition> {
    return { contentType: this.#registry.contentType, body: await this.#registry.metrics() };
  }

  /** Stops sampling the event loop. */
  close(): void {
    this.#delay.close();
  }

  #registerCalls(counters: CallCounters): void {
    const handling = "grpc_server_handling_seconds";
    this.#scraped("counter", "grpc_server_handled_total", "Completed calls, with any status.", () =>
      codeSeries(counters.calls()),
    );
    this.#scraped("histogram", handling, "Time from the arrival of a call to its end.", () =>
      durationSeries(handling, counters.calls()),
    );
    const failures = "Calls that ended with an error that has a reason, by that reason.";
    this.#scraped("counter", "coffer_call_errors_total", failures, () => labelled("reason", counters.errors()));
    const refused = "Connections refused before any call, by reason.";
    this.#scraped("counter", "coffer_connections_refused_total", refused, () =>
      labelled("reason", counters.refusals()),
    );
  }

  #registerWatches(counters: CallCounters): void {
    this.#gaugeBy("thread", "coffer_watches", "Open watches of a thread.", () =>
      counters.watches().map(({ watches }, front) => [frontName(front), watches]),
    );
    this.#counter("coffer_watch_events_total", "Events about a secret that were sent to watchers.", () =>
      counters.watches().reduce((sum, { events }) => sum + events, 0),
    );
  }

  #registerCommits(): void {
    const register = (name: string, help: string, distribution: Distribution) =>
      this.#scraped("histogram", name, help, () => histogramSeries(name, distribution));
    register("coffer_commit_seconds", "Duration of one commit of the journal.", this.#commit);
    register("coffer_commit_changes", "Changes in one commit.", this.#changes);
    register("coffer_queue_wait_seconds", "Time that a change waited before its commit began.", this.#queueWait);
  }

  #scraped(type: ScrapedMetric["type"], name: string, help: string, read: ScrapedMetric["read"]): void {
    registerScraped(this.#registry, { type, name, help, read });
  }

  #gauge(name: string, help: string, read: () => number): void {
    new Gauge({
      name,
      help,
      registers: this.#registers,
      collect() {
        this.set(read());
      },
    });
  }

  /** Registers a gauge with one series for each current value of the label. */
  #gaugeBy(label: string, name: string, help: string, read: () => readonly (readonly [string, number])[]): void {
    new Gauge({
      name,
      help,
      labelNames: [label],
      registers: this.#registers,
      collect() {
        this.reset();
        for (const [value, number] of read()) this.set({ [label]: value }, number);
      },
    });
  }

  #counter(name: string, help: string, read: () => number): void {
    new Counter({
      name,
      help,
      registers: this.#registers,
      collect() {
        this.reset();
        this.inc(read());
      },
    });
  }

  #labelledGauge<Label extends string>(name: string, help: string, labelNames: Label[]): Gauge<Label> {
    return new Gauge({ name, help, labelNames, registers: this.#registers });
  }
}

function unixTime(ms = 0): number {
  return ms / 1000;
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

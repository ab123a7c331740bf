import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { APPLIED, type Reason } from "../contract/reasons.ts";
import { CODE_LABELS } from "./code-labels.ts";
import { EventLoopDelay } from "./event-loop-delay.ts";
import type { Check } from "./server-status.ts";
import type { BuildInfo, ConnectionReading, IdentityReading, LoadedPolicyReading, StoreReading } from "./readings.ts";

/** The kind of a method, as go-grpc-prometheus names it. */
export type CallType = "unary" | "client_stream" | "server_stream" | "bidi_stream";

/** Counts the calls of one method. */
export interface MethodMeter {
  /**
   * A call ended. `code` is the name of the gRPC status, such as "NOT_FOUND". `seconds` is the time since its arrival.
   */
  handled(code: string, seconds: number): void;
}

/** The metrics in the text format of Prometheus. */
export interface Exposition {
  readonly contentType: string;
  readonly body: string;
}

// In seconds. A Get takes a tenth of a millisecond; a commit on a failing disk can take seconds.
const CALL_BUCKETS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5];
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

  readonly #handled = new Counter({
    name: "grpc_server_handled_total",
    help: "Completed calls, with any status.",
    labelNames: ["grpc_type", "grpc_service", "grpc_method", "grpc_code"],
    registers: this.#registers,
  });

  readonly #handling = new Histogram({
    name: "grpc_server_handling_seconds",
    help: "Time from the arrival of a call to its end.",
    labelNames: ["grpc_type", "grpc_service", "grpc_method"],
    buckets: CALL_BUCKETS,
    registers: this.#registers,
  });

  readonly #errors = new Counter({
    name: "coffer_call_errors_total",
    help: "Calls that ended with an error that has a reason, by that reason.",
    labelNames: ["reason"],
    registers: this.#registers,
  });

  readonly #commit = new Histogram({
    name: "coffer_commit_seconds",
    help: "Duration of one commit of the journal.",
    buckets: COMMIT_BUCKETS,
    registers: this.#registers,
  });

  readonly #changes = new Histogram({
    name: "coffer_commit_changes",
    help: "Changes in one commit.",
    buckets: GROUP_BUCKETS,
    registers: this.#registers,
  });

  readonly #queueWait = new Histogram({
    name: "coffer_queue_wait_seconds",
    help: "Time that a change waited before its commit began.",
    buckets: COMMIT_BUCKETS,
    registers: this.#registers,
  });

  readonly #refused = new Counter({
    name: "coffer_connections_refused_total",
    help: "Connections refused before any call, by reason.",
    labelNames: ["reason"],
    registers: this.#registers,
  });

  readonly #load = new Gauge({
    name: "coffer_load_seconds",
    help: "Time that the last start took to read the journal into memory.",
    registers: this.#registers,
  });

  constructor(build: BuildInfo) {
    this.#labelledGauge("coffer_build_info", "Always 1. The labels have the release and the version of Node.", [
      "version",
      "node",
    ]).set({ version: build.version, node: build.node }, 1);
    this.#gauge("process_resident_memory_bytes", "Resident memory of the process.", () => process.memoryUsage.rss());
    const start = performance.timeOrigin / 1000;
    this.#gauge("process_start_time_seconds", "When the process started, as Unix time.", () => start);
    this.#counter("process_cpu_seconds_total", "CPU time of the process, user and system.", cpuSeconds);
    this.#delay = new EventLoopDelay(this.#registry);
    for (const reason of Object.keys(APPLIED)) this.#errors.inc({ reason }, 0);
  }

  /**
   * Returns the meter of one method, such as /coffer.v1.Secrets/Get. Call it once for each method and reuse the meter.
   * All codes start at zero, so that the first failure of a kind is an increase. Counting a call takes about 0.6 µs in
   * prom-client (measured).
   */
  call(method: string, type: CallType = "unary"): MethodMeter {
    const [, grpc_service = "", grpc_method = ""] = method.split("/");
    const labels = { grpc_type: type, grpc_service, grpc_method };
    const counters = new Map(
      Object.entries(CODE_LABELS).map(([code, grpc_code]) => [code, this.#handledCounter({ ...labels, grpc_code })]),
    );
    const unknown = counters.get("UNKNOWN") ?? this.#handledCounter({ ...labels, grpc_code: "Unknown" });
    const timer = this.#handling.labels(labels);
    this.#handling.zero(labels);
    return {
      handled(code, seconds) {
        (counters.get(code) ?? unknown).inc();
        timer.observe(seconds);
      },
    };
  }

  /**
   * A call ended with a CofferError. The gRPC code alone does not distinguish a full disk from a caller over its
   * budget.
   */
  failed(reason: Reason): void {
    this.#errors.inc({ reason });
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

  /** A connection was refused. `reason` is one of the closed set of refusals. */
  connectionRefused(reason: string): void {
    this.#refused.inc({ reason });
  }

  /** The journal was read into memory. */
  loaded(seconds: number): void {
    this.#load.set(seconds);
  }

  /**
   * Registers the metrics of connections. `refusals` are all possible reasons of refusals; their counters start at
   * zero, so that the first refusal of a kind is an increase. Call it once.
   */
  observeConnections(reading: ConnectionReading, refusals: Iterable<string>): void {
    const { limits } = reading;
    for (const reason of refusals) this.#refused.inc({ reason }, 0);
    this.#gauge("coffer_connections", "Open connections, in handshake or served.", () => reading.open);
    this.#gauge(
      "coffer_connections_limit",
      "The limit on open connections, --max-connections.",
      () => limits.connections,
    );
    const handshakes = "Connections whose handshake is not complete.";
    this.#gauge("coffer_handshakes_in_progress", handshakes, () => reading.inProgress);
    this.#gauge("coffer_handshakes_in_progress_limit", "The limit, --max-handshakes.", () => limits.inProgress);
    this.#counter("coffer_handshakes_total", "Handshakes that have begun.", () => reading.begun);
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

  #handledCounter(labels: Record<"grpc_type" | "grpc_service" | "grpc_method" | "grpc_code", string>) {
    this.#handled.inc(labels, 0);
    return this.#handled.labels(labels);
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

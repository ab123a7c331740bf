import type { ListenAddress } from "../admission/listener.ts";
import { describeChoice } from "../config/identity-choice.ts";
import type { ServeConfig } from "../config/serve-config.ts";
import { asStartRefused } from "../domain/start-refused.ts";
import type { Timers } from "../domain/timers.ts";
import { CallCounters } from "../observability/call-counters.ts";
import type { LogSink } from "../observability/logger.ts";
import { Metrics } from "../observability/metrics.ts";
import { SharedDelays } from "../observability/shared-delays.ts";
import type { OpsServer } from "../observability/ops-server.ts";
import type { Check, ServerStatus } from "../observability/server-status.ts";
import { COUNTER_NAMES } from "../front/call-log.ts";
import { listenOps } from "./listen-ops.ts";
import { checksOf, type Phase } from "./phase.ts";
import { release } from "./release.ts";
import type { ProbeResult } from "./node-probe.ts";
import { reportStatus } from "./report-status.ts";
import { type Opened, Startup } from "./startup.ts";

// How long calls in progress get at the shutdown, in milliseconds. Kubernetes gives a pod 30 s by default.
const DRAIN_MS = 10_000;

// How long the process waits, in milliseconds, for the responses of a failed commit to be sent before it ends.
const LAST_RESPONSES_MS = 1000;

/** The dependencies that the process passes to the server. */
export interface CofferServerOptions {
  readonly log: LogSink;
  readonly timers: Timers;
  /** Ends the process immediately, without clean-up: nothing may be written after a failed commit. */
  readonly die: () => void;
  /** Finds out whether this Node survives the certificates of unauthenticated clients, see probeNode. */
  readonly probe: (signal: AbortSignal) => Promise<ProbeResult>;
}

/** The result of a start: the server serves calls, or it was stopped before that. */
export type Started = "serving" | "stopped";

/** The composition root, which together with {@link Startup} knows every part. */
export class CofferServer {
  readonly #config: ServeConfig;
  readonly #options: CofferServerOptions;
  readonly #metrics: Metrics;
  readonly #stopping = new AbortController();
  readonly #startup: Startup;
  #phase: Phase = { kind: "starting" };
  #started: Promise<unknown> = Promise.resolve();
  #stopped: Promise<void> | undefined;
  #ops: OpsServer | undefined;

  constructor(config: ServeConfig, options: CofferServerOptions) {
    this.#config = config;
    this.#options = options;
    const counters = CallCounters.of(COUNTER_NAMES, config.threads);
    const delays = config.threads === 1 ? undefined : SharedDelays.of(config.threads);
    this.#metrics = new Metrics({ version: release(), node: process.version }, counters, delays);
    this.#startup = new Startup({
      ...options,
      config,
      counters,
      delays,
      metrics: this.#metrics,
      signal: this.#stopping.signal,
      onFailed: (cause) => void this.#fail(cause),
    });
    this.#metrics.observeConnections(config.handshakes);
    this.#metrics.observeReadiness(() => this.#readiness());
  }

  /** The addresses of its listeners. Port 0 is replaced by the actual port. */
  get addresses(): readonly ListenAddress[] {
    return this.#startup.fronts?.addresses ?? [];
  }

  /** The address of probes and metrics; undefined with `--ops-listen off`. */
  get opsAddress(): { readonly host: string; readonly port: number } | undefined {
    return this.#ops?.address;
  }

  /**
   * Resolves when the server serves calls. Without `--startup-timeout` it waits for an identity without a limit.
   * Rejects with {@link StartRefused} when the configuration, or a resource that it names, can't be used. Call it once.
   */
  start(): Promise<Started> {
    const started = this.#startOrRelease();
    this.#started = started.catch(() => {});
    return started;
  }

  /** Reloads identity and policy immediately. If a new one is invalid, the old one stays in use. */
  reload(): void {
    this.#opened?.resources.identity.reload();
    this.#opened?.resources.policy.reload();
  }

  /**
   * Resolves when the latest identity and policy are in force in every front, and when the log has every line that the
   * fronts have written so far.
   */
  async settled(): Promise<void> {
    await this.#startup.fronts?.settled();
  }

  /** Shuts down gracefully: accepts no more connections, finishes calls in progress, and writes a full checkpoint. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    this.#stopping.abort();
    await this.#started;
    if (this.#phase.kind === "ended") return;
    if (this.#phase.kind === "failed") return this.#phase.ended;
    this.#phase = { kind: "stopping" };
    await this.#leave();
    this.#opened?.checkpoints.stop();
    // A Put from the last connection may not be committed yet, so the journal must be closed after it.
    await this.#startup.endCalls(DRAIN_MS);
    try {
      this.#opened?.resources.storage.journal.checkpoint("full");
    } catch (cause) {
      return this.#fail(cause);
    }
    await this.#release();
    this.#options.log.info("stopped");
  }

  /** Reports the shutdown to probes and health checks, then waits: load balancers poll them only at intervals. */
  async #leave(): Promise<void> {
    const { log } = this.#options;
    const { shutdownDelayMs } = this.#config;
    const { fronts } = this.#startup;
    const isDelayed = fronts?.isOpen && shutdownDelayMs > 0;
    log.info("stopping", isDelayed ? { detail: `calls are served for another ${shutdownDelayMs} ms` } : {});
    fronts?.leave();
    if (isDelayed) await this.#pause(shutdownDelayMs);
  }

  async #startOrRelease(): Promise<Started> {
    try {
      return await this.#start();
    } catch (error) {
      await this.#release();
      throw asStartRefused(error);
    }
  }

  async #start(): Promise<Started> {
    const { log } = this.#options;
    const { identity: choice, maxStoreBytes, threads } = this.#config;
    log.info("starting", {
      release: release(),
      limit: maxStoreBytes,
      threads,
      source: describeChoice(choice),
      detail: `source chosen because ${choice.because}`,
    });
    await this.#listenOps();
    if ((await this.#startup.run()) === undefined) return "stopped";
    this.#phase = { kind: "serving" };
    log.info("serving");
    return "serving";
  }

  async #listenOps(): Promise<void> {
    this.#ops = await listenOps(this.#config, {
      readiness: () => this.#readiness(),
      metrics: () => this.#metrics.expose(),
      status: () => this.#status(),
      log: this.#options.log,
      hosts: this.#config.opsHosts,
    });
  }

  #status(): ServerStatus {
    const { progress, probed } = this.#startup;
    return reportStatus({ config: this.#config, checks: this.#readiness(), progress, probed });
  }

  #readiness(): readonly Check[] {
    return checksOf(this.#phase, this.#startup.progress);
  }

  /** The parts that the start has opened so far. */
  get #opened(): Opened | undefined {
    const { progress } = this.#startup;
    return progress.kind === "opening" ? undefined : progress.opened;
  }

  /** Closes everything that was opened so far. */
  async #release(): Promise<void> {
    this.#phase = { kind: "ended" };
    // Ends the probe of Node, which may still run.
    this.#stopping.abort();
    await this.#startup.close();
    this.#metrics.close();
    await this.#ops?.close();
  }

  /** Only the first failure counts: after a failed checkpoint, the commits that were waiting fail as well. */
  #fail(cause: unknown): Promise<void> {
    if (this.#phase.kind !== "failed") this.#phase = { kind: "failed", ended: this.#endAfter(cause) };
    return this.#phase.ended;
  }

  /**
   * Ends the process after a commit or a checkpoint has failed, or the lock was lost. The state of the files is unknown
   * until a restart.
   */
  async #endAfter(cause: unknown): Promise<void> {
    this.#options.log.error("journal failed", { error: String(cause) });
    this.#opened?.checkpoints.stop();
    // A front whose event loop is blocked must not keep the process alive: another server may own the store already.
    await Promise.race([this.#startup.fronts?.fail(LAST_RESPONSES_MS), this.#pause(2 * LAST_RESPONSES_MS)]);
    this.#options.die();
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#options.timers.delay(ms, resolve));
  }
}

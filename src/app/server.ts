import { CONNECTION_REFUSALS } from "../admission/connection-refusal.ts";
import type { ListenAddress } from "../admission/listener.ts";
import { describeChoice } from "../config/identity-choice.ts";
import type { ServeConfig } from "../config/serve-config.ts";
import { asStartRefused } from "../domain/start-refused.ts";
import type { Timers } from "../domain/timers.ts";
import { type LimitedLog, limitLines } from "../observability/limiter.ts";
import type { Logger } from "../observability/logger.ts";
import { Metrics } from "../observability/metrics.ts";
import type { OpsServer } from "../observability/ops-server.ts";
import type { Check, ServerStatus } from "../observability/server-status.ts";
import { createCallLog } from "./call-log.ts";
import { Front } from "./front.ts";
import { listenOps } from "./listen-ops.ts";
import { checksOf, type Phase } from "./phase.ts";
import { release } from "./release.ts";
import type { ProbeResult } from "./node-probe.ts";
import { reportStatus } from "./report-status.ts";
import { type Opened, Startup } from "./startup.ts";

// Milliseconds that calls under way get at the end; Kubernetes gives a pod 30 s by default.
const DRAIN_MS = 10_000;

// Milliseconds for the answers of a commit whose outcome is unknown to leave the process before it ends.
const LAST_WORDS_MS = 1000;

/** What the process gives to the server. */
export interface CofferServerOptions {
  readonly log: Logger;
  readonly timers: Timers;
  /** Ends the process at once and without any clean-up: nothing may be written after a failed commit. */
  readonly die: () => void;
  /** Finds out whether this Node survives the certificates of unauthenticated clients, see probeNode. */
  readonly probe: (signal: AbortSignal) => Promise<ProbeResult>;
}

/** What a start came to: it answers calls, or it was stopped while it was still waiting for its identity. */
export type Started = "serving" | "stopped";

/** The composition root: the only place that knows every part. */
export class CofferServer {
  readonly #config: ServeConfig;
  readonly #options: CofferServerOptions;
  readonly #metrics = new Metrics({ version: release(), node: process.version });
  readonly #limited: LimitedLog;
  readonly #front: Front;
  readonly #stopping = new AbortController();
  readonly #startup: Startup;
  #phase: Phase = { kind: "starting" };
  #started: Promise<unknown> = Promise.resolve();
  #stopped: Promise<void> | undefined;
  #ops: OpsServer | undefined;

  constructor(config: ServeConfig, options: CofferServerOptions) {
    this.#config = config;
    this.#options = options;
    this.#limited = limitLines(options.log, options.timers);
    const calls = createCallLog(options.log, this.#limited, this.#metrics);
    this.#front = new Front({ config, calls, ...options });
    this.#startup = new Startup({
      ...options,
      config,
      calls,
      metrics: this.#metrics,
      front: this.#front,
      signal: this.#stopping.signal,
      onFailed: (cause) => void this.#fail(cause),
    });
    this.#metrics.observeConnections(this.#front.gate, CONNECTION_REFUSALS);
    this.#metrics.observeReadiness(() => this.#readiness());
  }

  /** Where it listens, with real ports. */
  get addresses(): readonly ListenAddress[] {
    return this.#front.addresses;
  }

  /** Where probes and metrics are served. */
  get opsAddress(): { readonly host: string; readonly port: number } | undefined {
    return this.#ops?.address;
  }

  /**
   * Resolves when calls are answered, which may take as long as there is no identity; rejects with {@link StartRefused}
   * when the configuration or what it names can't be used. Call it once.
   */
  start(): Promise<Started> {
    const started = this.#startOrLetGo();
    this.#started = started.catch(() => {});
    return started;
  }

  /** Looks for a newer identity and a newer policy at once; what can't be used leaves the old one in force. */
  reload(): void {
    this.#opened?.resources.identity.reload();
    this.#opened?.resources.policy.reload();
  }

  /** Ends in good order: no new connections, calls under way finish, everything is checkpointed. */
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
    await this.#front.drain(DRAIN_MS);
    // A Put that came with the last connection is committed after this turn, and not after the journal is closed.
    await new Promise<void>((resolve) => this.#options.timers.afterTurn(resolve));
    try {
      this.#opened?.resources.storage.journal.checkpoint("full");
    } catch (cause) {
      return this.#fail(cause);
    }
    await this.#letGo();
    this.#options.log.info("stopped");
  }

  /** Whoever still sends callers here learns of the end from probes and health, and looks at them only now and then. */
  async #leave(): Promise<void> {
    const { log, timers } = this.#options;
    const { shutdownDelayMs } = this.#config;
    const isDelayed = this.#front.isOpen && shutdownDelayMs > 0;
    log.info("stopping", isDelayed ? { detail: `calls are taken for another ${shutdownDelayMs} ms` } : {});
    this.#front.leave();
    if (isDelayed) await new Promise<void>((resolve) => timers.delay(shutdownDelayMs, resolve));
  }

  async #startOrLetGo(): Promise<Started> {
    try {
      return await this.#start();
    } catch (error) {
      await this.#letGo();
      throw asStartRefused(error);
    }
  }

  async #start(): Promise<Started> {
    const { log } = this.#options;
    const { identity: choice, maxStoreBytes } = this.#config;
    log.info("starting", {
      release: release(),
      limit: maxStoreBytes,
      source: describeChoice(choice),
      detail: `this source, since ${choice.because}`,
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

  /** What the start has opened so far. */
  get #opened(): Opened | undefined {
    const { progress } = this.#startup;
    return progress.kind === "opening" ? undefined : progress.opened;
  }

  /** Closes everything that was opened so far. */
  async #letGo(): Promise<void> {
    this.#phase = { kind: "ended" };
    // A probe may still run.
    this.#stopping.abort();
    this.#startup.close();
    this.#limited.summarize();
    this.#metrics.close();
    await this.#ops?.close();
  }

  /** After a checkpoint that failed, commits that were waiting fail as well: the first failure is the one to tell. */
  #fail(cause: unknown): Promise<void> {
    if (this.#phase.kind !== "failed") this.#phase = { kind: "failed", ended: this.#endAfter(cause) };
    return this.#phase.ended;
  }

  /** The disk has failed in the middle of a change. What is on it only a restart can tell. */
  async #endAfter(cause: unknown): Promise<void> {
    this.#options.log.error("the journal failed; the process ends", { error: String(cause) });
    this.#opened?.checkpoints.stop();
    await this.#front.fail(LAST_WORDS_MS);
    this.#options.die();
  }
}

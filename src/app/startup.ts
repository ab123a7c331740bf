import type { ServeConfig } from "../config/serve-config.ts";
import type { Timers } from "../domain/timers.ts";
import { authorizeChanges } from "../engine/authorized-changes.ts";
import type { Fronts } from "../front/fronts.ts";
import type { CallCounters } from "../observability/call-counters.ts";
import type { Logger, LogSink } from "../observability/logger.ts";
import type { Metrics } from "../observability/metrics.ts";
import type { SharedDelays } from "../observability/shared-delays.ts";
import type { SecretStore } from "../store/secret-store.ts";
import { Sweeper } from "../store/sweeper.ts";
import { Checkpoints } from "../storage/checkpoints.ts";
import { FileWarnings } from "./file-warnings.ts";
import type { FrontHost } from "./front-host.ts";
import { FrontOfThisThread } from "./front-of-this-thread.ts";
import { FrontThreads } from "./front-threads.ts";
import { awaitIdentity } from "./identity-wait.ts";
import { IdentityWatch } from "./identity-watch.ts";
import { loadStore } from "../storage/load-store.ts";
import { watchOwnership } from "../storage/ownership-watch.ts";
import type { ProbeResult } from "./node-probe.ts";
import { settledLog } from "./settled-log.ts";
import { closeResources, openResources, type Resources } from "./resources.ts";

/** The dependencies of a {@link Startup}. */
export interface StartupOptions {
  readonly config: ServeConfig;
  readonly log: LogSink;
  readonly timers: Timers;
  readonly metrics: Metrics;
  readonly counters: CallCounters;
  /** Undefined if the only front is in this thread. */
  readonly delays: SharedDelays | undefined;
  /** Finds out whether this Node survives the certificates of unauthenticated clients, see probeNode. */
  readonly probe: (signal: AbortSignal) => Promise<ProbeResult>;
  /** Ends every wait of the start, and the probe. */
  readonly signal: AbortSignal;
  /** The journal failed: the process must end. */
  readonly onFailed: (cause: unknown) => void;
}

/** The parts that a start has opened. */
export interface Opened {
  readonly resources: Resources;
  readonly host: FrontHost;
  readonly watch: IdentityWatch;
  readonly checkpoints: Checkpoints;
}

/** The parts of a server that serves calls. */
export interface Running extends Opened {
  readonly store: SecretStore;
  readonly sweeper: Sweeper;
}

/** The progress of a start, and the parts that exist at that point. */
export type Progress =
  | { readonly kind: "opening"; readonly why: "loading" | "waiting for another server" }
  | { readonly kind: "loading"; readonly opened: Opened }
  /** The store is in memory. The server waits for an identity, or serves. */
  | { readonly kind: "loaded"; readonly opened: Running };

/**
 * Starts a server in order: opens identity, policy and storage, loads the store, waits for an identity, and listens.
 */
export class Startup {
  readonly #options: StartupOptions;
  /** A function that closes each opened part, in the order of opening. */
  readonly #closers: (() => void | Promise<void>)[] = [];
  /** Undefined until the store is loaded. */
  #fronts: Fronts | undefined;
  /** The log for events that take effect in the fronts, such as a new policy: see settledLog. */
  readonly #settledLog: Logger;
  #progress: Progress = { kind: "opening", why: "loading" };
  #probed: ProbeResult | undefined;

  constructor(options: StartupOptions) {
    this.#options = options;
    this.#settledLog = settledLog(options.log, () => (this.#fronts?.isOpen ? this.#fronts : undefined));
  }

  /** The fronts; undefined until the store is loaded. */
  get fronts(): Fronts | undefined {
    return this.#fronts;
  }

  get progress(): Progress {
    return this.#progress;
  }

  /** The result of the probe of Node; undefined while it runs. */
  get probed(): ProbeResult | undefined {
    return this.#probed;
  }

  /** Resolves when calls are served; undefined if it was stopped before. Rejects with any StartError. */
  async run(): Promise<Running | undefined> {
    const probed = this.#probe();
    const opened = await this.#open();
    if (opened === undefined) return undefined;
    this.#progress = { kind: "loading", opened };
    const store = await this.#load(opened);
    const running = { ...opened, store, sweeper: this.#beginSweeps(store) };
    this.#progress = { kind: "loaded", opened: running };
    const { config, timers, signal } = this.#options;
    const wait = { timers, signal, maxMs: config.startupTimeoutMs };
    if (!(await awaitIdentity(opened.resources.identity, wait))) return undefined;
    await probed;
    // It can read the whole database, and a Destroy of a caller would wait for that.
    await running.sweeper.firstErasure;
    if (signal.aborted) return undefined;
    await this.#serve(running);
    return running;
  }

  /**
   * Probes Node in parallel with the rest of the start. The listeners open only after the returned promise resolves.
   */
  #probe(): Promise<void> {
    const { probe, signal, log } = this.#options;
    const passed = (result: ProbeResult) => {
      this.#probed = result;
      if (result.kind === "not-run") log.warn("node not probed", { detail: result.why });
    };
    const probed = probe(signal).then(passed, (error: unknown) => {
      // A probe that ended because the start was stopped says nothing about this Node.
      if (!signal.aborted) throw error;
    });
    // If the start fails before it awaits the probe, an unhandled rejection would end the process.
    probed.catch(() => {});
    return probed;
  }

  /**
   * Accepts no more connections, and lets calls in progress end, for at most `graceMs` milliseconds. When it resolves,
   * every change that a caller has sent is committed or refused.
   */
  async endCalls(graceMs: number): Promise<void> {
    await this.#fronts?.drain(graceMs);
    if (this.#progress.kind !== "opening") await this.#endFronts(this.#progress.opened.host);
  }

  async #endFronts(host: FrontHost): Promise<void> {
    await host.close();
    if (this.#progress.kind !== "loaded") return;
    this.#progress.opened.sweeper.stop();
    await this.#progress.opened.store.settled();
  }

  /** Closes everything that was opened, in the reverse order. */
  async close(): Promise<void> {
    for (const close of this.#closers.splice(0).reverse()) await close();
  }

  async #open(): Promise<Opened | undefined> {
    const { config, log, timers, metrics, counters, delays, signal, onFailed } = this.#options;
    const onHeld = (detail: string) => {
      this.#progress = { kind: "opening", why: "waiting for another server" };
      log.warn("store in use", { detail });
    };
    const resources = await openResources(config, { log: this.#settledLog, timers, signal, onHeld });
    if (resources === undefined) return undefined;
    this.#closers.push(() => closeResources(resources));
    const { identity: source, policy, storage } = resources;
    for (const detail of storage.warnings) log.warn("store warning", { detail });
    const parts = { config, resources, log, timers, counters };
    const host = delays === undefined ? new FrontOfThisThread(parts) : new FrontThreads(parts, delays);
    // Closed before the journal: if the last address can't be listened on, calls may have arrived at the first one.
    this.#closers.push(() => this.#endFronts(host));
    const watch = new IdentityWatch({ source, log: this.#settledLog, timers, metrics });
    this.#closers.push(() => watch.close());
    metrics.observePolicy(() => policy.loaded);
    source.onChange((snapshot) => policy.serveAs(snapshot));
    const files = new FileWarnings(config, log);
    files.check();
    source.onChange(() => files.check());
    const checkpoints = new Checkpoints({ journal: storage.journal, timers, onFailed });
    return { resources, host, watch, checkpoints };
  }

  #load({ resources: { storage, policy }, host, checkpoints }: Opened): Promise<SecretStore> {
    const { config, log, timers, metrics, onFailed } = this.#options;
    this.#closers.push(() => checkpoints.stop());
    this.#closers.push(watchOwnership({ journal: storage.journal, timers, onLost: onFailed }));
    const committed = (seconds: number, changes: number) => {
      metrics.committed(seconds, changes);
      checkpoints.committed();
    };
    const observer = { committed, queued: (seconds: number) => metrics.waited(seconds), failed: onFailed };
    const { clock, publication, watchers } = host;
    const authorize = authorizeChanges(() => policy.current);
    const parts = { clock, publication, watchers, authorize };
    return loadStore(storage, { log, timers, metrics, observer, limits: config, ...parts });
  }

  #beginSweeps(store: SecretStore): Sweeper {
    const { log, timers } = this.#options;
    const onFailed = (error: unknown) => log.warn("sweep failed", { error: String(error) });
    const sweeper = new Sweeper({ store, timers, onFailed });
    this.#closers.push(() => sweeper.stop());
    return sweeper;
  }

  async #serve({ resources: { identity, policy }, host, store }: Running): Promise<void> {
    policy.serveAs(identity.snapshot());
    this.#fronts = await host.connect(store);
    await this.#fronts.open();
  }
}

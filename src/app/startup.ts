import type { ServeConfig } from "../config/serve-config.ts";
import type { Timers } from "../domain/timers.ts";
import { SecretsEngine } from "../engine/secrets-engine.ts";
import { secretsMethods } from "../grpc/secrets-service.ts";
import type { Logger } from "../observability/logger.ts";
import type { Metrics } from "../observability/metrics.ts";
import type { SecretStore } from "../store/secret-store.ts";
import type { CallLog } from "./call-log.ts";
import { Checkpoints } from "./checkpoints.ts";
import { FileWarnings } from "./file-warnings.ts";
import type { Front } from "./front.ts";
import { awaitIdentity } from "./identity-wait.ts";
import { IdentityWatch } from "./identity-watch.ts";
import { loadStore } from "./load-store.ts";
import { watchOwnership } from "./ownership-watch.ts";
import type { ProbeResult } from "./node-probe.ts";
import { closeResources, openResources, type Resources } from "./resources.ts";

/** The dependencies of a {@link Startup}. */
export interface StartupOptions {
  readonly config: ServeConfig;
  readonly log: Logger;
  readonly timers: Timers;
  readonly metrics: Metrics;
  readonly calls: CallLog;
  readonly front: Front;
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
  readonly watch: IdentityWatch;
  readonly checkpoints: Checkpoints;
}

/** The parts of a server that serves calls. */
export interface Running extends Opened {
  readonly store: SecretStore;
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
  readonly #closers: (() => void)[] = [];
  #progress: Progress = { kind: "opening", why: "loading" };
  #probed: ProbeResult | undefined;

  constructor(options: StartupOptions) {
    this.#options = options;
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
    const running = { ...opened, store: await this.#load(opened) };
    this.#progress = { kind: "loaded", opened: running };
    const { config, timers, signal } = this.#options;
    const wait = { timers, signal, maxMs: config.startupTimeoutMs };
    if (!(await awaitIdentity(opened.resources.identity, wait))) return undefined;
    await probed;
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

  /** Closes everything that was opened, in the reverse order. */
  close(): void {
    for (const close of this.#closers.splice(0).reverse()) close();
  }

  async #open(): Promise<Opened | undefined> {
    const { config, log, timers, metrics, signal, onFailed } = this.#options;
    const onHeld = (detail: string) => {
      this.#progress = { kind: "opening", why: "waiting for another server" };
      log.warn("store in use", { detail });
    };
    const resources = await openResources(config, { log, timers, signal, onHeld });
    if (resources === undefined) return undefined;
    this.#closers.push(() => closeResources(resources));
    const { identity: source, policy, storage } = resources;
    for (const detail of storage.warnings) log.warn("store warning", { detail });
    const watch = new IdentityWatch({ source, log, timers, metrics });
    this.#closers.push(() => watch.close());
    metrics.observePolicy(() => policy.loaded);
    source.onChange((snapshot) => policy.serveAs(snapshot));
    const files = new FileWarnings(config, log);
    files.check();
    source.onChange(() => files.check());
    const checkpoints = new Checkpoints({ journal: storage.journal, timers, onFailed });
    return { resources, watch, checkpoints };
  }

  #load({ resources: { storage }, checkpoints }: Opened): Promise<SecretStore> {
    const { config, log, timers, metrics, front, onFailed } = this.#options;
    // Closed before the journal: if the last address can't be listened on, calls may have arrived at the first one.
    this.#closers.push(() => front.close());
    this.#closers.push(() => checkpoints.stop());
    this.#closers.push(watchOwnership({ journal: storage.journal, timers, onLost: onFailed }));
    const committed = (seconds: number, changes: number) => {
      metrics.committed(seconds, changes);
      checkpoints.committed();
    };
    const observer = { committed, queued: (seconds: number) => metrics.waited(seconds), failed: onFailed };
    return loadStore(storage, { log, timers, metrics, observer, maxStoreBytes: config.maxStoreBytes });
  }

  async #serve({ resources: { identity, policy, storage }, store }: Running): Promise<void> {
    const { config, calls, front } = this.#options;
    policy.serveAs(identity.snapshot());
    const authorizer = () => policy.current;
    const engine = new SecretsEngine({
      secrets: store,
      changes: store,
      sealer: storage.sealer,
      authorizer,
      onDenied: calls.denied,
    });
    await front.open(identity, secretsMethods(engine, config.maxContentBytes));
  }
}

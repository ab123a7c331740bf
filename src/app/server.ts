import type { Timers } from "../domain/timers.ts";
import { SecretsEngine } from "../engine/secrets-engine.ts";
import type { Check, ServerStatus } from "../observability/server-status.ts";
import { type LimitedLog, limitLines } from "../observability/limiter.ts";
import type { Logger } from "../observability/logger.ts";
import { Metrics } from "../observability/metrics.ts";
import type { OpsServer } from "../observability/ops-server.ts";
import type { SecretStore } from "../store/secret-store.ts";
import { CONNECTION_REFUSALS } from "../admission/connection-refusal.ts";
import type { ListenAddress } from "../admission/listener.ts";
import { secretsMethods } from "../grpc/secrets-service.ts";
import { type CallLog, createCallLog } from "./call-log.ts";
import { Checkpoints } from "./checkpoints.ts";
import type { ServeConfig } from "../config/serve-config.ts";
import { describeChoice } from "../config/identity-choice.ts";
import { FileWarnings } from "./file-warnings.ts";
import { Front } from "./front.ts";
import { awaitIdentity, type IdentityWait } from "./identity-wait.ts";
import { IdentityWatch } from "./identity-watch.ts";
import { listenOps } from "./listen-ops.ts";
import { loadStore } from "./load-store.ts";
import { checksOf, type Phase } from "./phase.ts";
import { release } from "./release.ts";
import type { ProbeResult } from "./node-probe.ts";
import { watchOwnership } from "./ownership-watch.ts";
import { reportStatus } from "./report-status.ts";
import { closeResources, openResources, type Resources } from "./resources.ts";
import { asStartRefused } from "./start-obstacle.ts";

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
  readonly #calls: CallLog;
  readonly #front: Front;
  readonly #stopping = new AbortController();
  #phase: Phase = { kind: "starting", why: "loading" };
  #started: Promise<unknown> = Promise.resolve();
  #stopped: Promise<void> | undefined;
  #ops: OpsServer | undefined;
  #resources: Resources | undefined;
  #store: SecretStore | undefined;
  #probed: ProbeResult | undefined;
  #watch: IdentityWatch | undefined;
  #checkpoints: Checkpoints | undefined;
  #unwatch = () => {};

  constructor(config: ServeConfig, options: CofferServerOptions) {
    this.#config = config;
    this.#options = options;
    this.#limited = limitLines(options.log, options.timers);
    this.#calls = createCallLog(options.log, this.#limited, this.#metrics);
    this.#front = new Front({ config, calls: this.#calls, ...options });
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
    this.#resources?.identity.reload();
    this.#resources?.policy.reload();
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
    this.#checkpoints?.stop();
    await this.#front.drain(DRAIN_MS);
    // A Put that came with the last connection is committed after this turn, and not after the journal is closed.
    await new Promise<void>((resolve) => this.#options.timers.afterTurn(resolve));
    try {
      this.#resources?.storage.journal.checkpoint("full");
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
    const probed = this.#probe();
    await this.#listenOps();
    const resources = await this.#open();
    if (resources === undefined) return "stopped";
    this.#phase = { kind: "starting", why: "loading" };
    const store = await this.#load(resources);
    this.#store = store;
    this.#phase = { kind: "starting", why: "waiting for an identity" };
    if (!(await awaitIdentity(resources.identity, this.#identityWait))) return "stopped";
    await probed;
    await this.#serve(resources, store);
    this.#phase = { kind: "serving" };
    log.info("serving");
    return "serving";
  }

  /** Beside everything else that a start does; no client is let in before it has passed. */
  #probe(): Promise<void> {
    const probed = this.#options.probe(this.#stopping.signal).then((result) => {
      this.#probed = result;
      if (result.kind === "not-run") this.#options.log.warn("node not probed", { detail: result.why });
    });
    // The start may end before it looks at this.
    probed.catch(() => {});
    return probed;
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
    const [config, resources, store, probed] = [this.#config, this.#resources, this.#store, this.#probed];
    return reportStatus({ config, checks: this.#readiness(), resources, store, probed });
  }

  #readiness(): readonly Check[] {
    const identity = this.#watch ? [this.#watch.check] : [];
    return [...identity, ...checksOf(this.#phase, this.#resources?.storage.journal)];
  }

  async #open(): Promise<Resources | undefined> {
    const { log, timers } = this.#options;
    const onHeld = (detail: string) => {
      this.#phase = { kind: "starting", why: "waiting for another server" };
      log.warn("store in use", { detail });
    };
    const resources = await openResources(this.#config, { log, timers, signal: this.#stopping.signal, onHeld });
    if (resources === undefined) return undefined;
    this.#resources = resources;
    const { identity: source, policy, storage } = resources;
    for (const detail of storage.warnings) log.warn("store warning", { detail });
    this.#watch = new IdentityWatch({ source, log, timers, metrics: this.#metrics });
    this.#metrics.observePolicy(() => policy.loaded);
    source.onChange((snapshot) => policy.serveAs(snapshot));
    const files = new FileWarnings(this.#config, log);
    files.look();
    source.onChange(() => files.look());
    return resources;
  }

  #load({ storage }: Resources): Promise<SecretStore> {
    const { log, timers } = this.#options;
    const failed = (cause: unknown) => void this.#fail(cause);
    const checkpoints = new Checkpoints({ journal: storage.journal, timers, onFailed: failed });
    this.#checkpoints = checkpoints;
    this.#unwatch = watchOwnership({ journal: storage.journal, timers, onLost: failed });
    const committed = (seconds: number, changes: number) => {
      this.#metrics.committed(seconds, changes);
      checkpoints.committed();
    };
    const observer = { committed, queued: (seconds: number) => this.#metrics.waited(seconds), failed };
    const { maxStoreBytes } = this.#config;
    return loadStore(storage, { log, timers, metrics: this.#metrics, observer, maxStoreBytes });
  }

  get #identityWait(): IdentityWait {
    return { timers: this.#options.timers, signal: this.#stopping.signal, maxMs: this.#config.startupTimeoutMs };
  }

  async #serve({ identity, policy, storage: { sealer } }: Resources, store: SecretStore): Promise<void> {
    policy.serveAs(identity.snapshot());
    const authorizer = () => policy.current;
    const engine = new SecretsEngine({ store, sealer, authorizer, onDenied: this.#calls.denied });
    const methods = secretsMethods(engine, this.#config.maxContentBytes);
    await this.#front.open(identity, methods);
  }

  /** Lets go of everything that was opened so far. */
  async #letGo(): Promise<void> {
    this.#phase = { kind: "ended" };
    this.#stopping.abort();
    this.#unwatch();
    this.#checkpoints?.stop();
    // Of a start that is refused at its last address: calls that came by the first must not meet a closed journal.
    this.#front.close();
    this.#watch?.close();
    closeResources(this.#resources ?? {});
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
    this.#checkpoints?.stop();
    await this.#front.fail(LAST_WORDS_MS);
    this.#options.die();
  }
}

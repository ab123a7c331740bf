import type { ClientError } from "../client/client-error.ts";
import { ClockTimer } from "../client/clock-timer.ts";
import type { CofferReader } from "../client/coffer-reader.ts";
import type { SecretEvent } from "../client/secret-events.ts";
import type { SecretWatch } from "../client/secret-watch.ts";
import type { Timers } from "../domain/timers.ts";
import type { Logger } from "../observability/logger.ts";
import type { Check } from "../observability/server-status.ts";
import { type AgentConfig, type TargetConfig, secretsOf } from "./agent-config.ts";
import type { AgentMetrics } from "./agent-metrics.ts";
import type { RunReaction } from "./reaction.ts";
import { Contact, type OutageTask } from "./contact.ts";
import { FileSet } from "./file-set.ts";
import type { FileSystem } from "./file-system.ts";
import { SecretStates } from "./secret-states.ts";
import { SingleFile } from "./single-file.ts";
import { type TargetStatus, TargetWorker, isReady } from "./target-worker.ts";

/** What the agent needs of a client. */
export type AgentClient = Pick<CofferReader, "batchGet"> & {
  watch(options: WatchedSecrets): Pick<SecretWatch, "report"> & AsyncIterable<SecretEvent>;
};

/** What the agent watches. */
interface WatchedSecrets {
  readonly paths: readonly string[];
  readonly instance: string;
  readonly signal: AbortSignal;
}

/** What an {@link Agent} needs. */
export interface AgentOptions {
  readonly config: AgentConfig;
  /** The name of this agent in reports. */
  readonly instance: string;
  readonly client: AgentClient;
  readonly files: FileSystem;
  readonly timers: Pick<Timers, "clock" | "elapsed" | "delay">;
  readonly log: Logger;
  readonly metrics: AgentMetrics;
  /** Runs commands and sends signals; undefined for none, as for `--once`. */
  readonly react: RunReaction | undefined;
}

/** Watches secrets, and keeps the files of all targets in their newest state. */
export class Agent {
  readonly #options: AgentOptions;
  readonly #states: SecretStates;
  readonly #contact: Contact;
  readonly #expiry: ClockTimer;
  readonly #workers: readonly TargetWorker[];
  readonly #complete: Promise<void>;
  #onComplete: () => void = () => {};
  #watch: ReturnType<AgentClient["watch"]> | undefined;

  constructor(options: AgentOptions) {
    const { config, timers, metrics } = options;
    this.#options = options;
    this.#states = new SecretStates(timers.clock);
    this.#expiry = new ClockTimer(timers, (now) => this.#expire(now));
    this.#complete = new Promise((resolve) => {
      this.#onComplete = resolve;
    });
    this.#workers = config.targets.map((target) => this.#workerOf(target));
    this.#contact = new Contact(timers, this.#workers.flatMap(outageTaskOf));
    metrics.observe(() => ({
      targets: this.#workers.map(({ target: { name }, status }) => ({
        name,
        isReady: isReady(status),
        isCurrent: status.kind === "current",
        isKept: status.kind === "kept",
      })),
      isConnected: this.#contact.isConfirmed,
      lastContact: this.#contact.last,
    }));
  }

  /** Resolves when all targets are current for the first time. */
  get complete(): Promise<void> {
    return this.#complete;
  }

  /** The state of each target by name. */
  get statuses(): readonly (readonly [name: string, status: TargetStatus])[] {
    return this.#workers.map(({ target, status }) => [target.name, status]);
  }

  /** The checks of /readyz: one for each target. They name no secret. */
  readiness(): readonly Check[] {
    return this.statuses.map(([name, status]) =>
      isReady(status) ? { name, state: "ok" } : { name, state: "not ready", why: status.kind },
    );
  }

  /**
   * Works until `signal` is aborted. Rejects with {@link ClientError} if the watch has ended for a reason that waiting
   * does not solve.
   */
  async run(signal: AbortSignal): Promise<void> {
    const stop = new AbortController();
    const ended = AbortSignal.any([signal, stop.signal]);
    const parts = [this.#follow(ended), ...this.#workers.map((worker) => worker.run(ended))];
    // When one part ends, all others end. A worker ends only after the command that it runs.
    const results = await Promise.allSettled(parts.map((part) => part.finally(() => stop.abort())));
    this.#contact.close();
    this.#expiry.stop();
    for (const result of results) if (result.status === "rejected") throw result.reason;
  }

  #workerOf(target: TargetConfig): TargetWorker {
    const { client, files, timers, react, log, metrics } = this.#options;
    const { kind, path } = target.place;
    return new TargetWorker({
      target,
      destination:
        kind === "file" ? new SingleFile(path, files) : new FileSet({ directory: path, files, clock: timers.clock }),
      sources: {
        states: this.#states,
        readTogether: (paths, options) => client.batchGet(paths, options),
        outageMs: () => this.#contact.outageMs,
      },
      react,
      timers,
      log,
      metrics,
      onStatus: () => this.#onStatus(),
    });
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { config, instance, client } = this.#options;
    const paths = [...new Set(config.targets.flatMap(secretsOf))];
    this.#watch = client.watch({ paths, instance, signal });
    try {
      for await (const event of this.#watch) this.#take(event);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  #take(event: SecretEvent): void {
    const path = this.#states.take(event);
    if (event.kind === "secret" && event.expireTime !== undefined) this.#expiry.add(event.expireTime);
    if (path !== undefined) this.#wake(path);
    if (event.kind === "synced" || event.kind === "heartbeat") this.#confirm(event.kind);
    if (event.kind === "disconnected") this.#lose(event.error);
  }

  #expire(now: number): number {
    const { expired, next } = this.#states.expire(now);
    for (const path of expired) this.#wake(path);
    return next;
  }

  #confirm(kind: "synced" | "heartbeat"): void {
    const isNew = this.#contact.confirm();
    if (isNew) this.#options.log.info("watch connected");
    if (isNew || kind === "synced") for (const worker of this.#workers) worker.wake();
  }

  #lose({ message, reason }: ClientError): void {
    if (this.#contact.lose(message)) this.#options.log.warn("watch disconnected", { error: message, reason });
  }

  #wake(path: string): void {
    for (const worker of this.#workers) if (secretsOf(worker.target).includes(path)) worker.wake();
  }

  #onStatus(): void {
    if (this.#workers.every(({ status }) => status.kind === "current")) this.#onComplete();
    if (this.#options.react === undefined) return;
    // The watch sends only what has changed.
    for (const [path, version] of this.#inUse()) this.#report(path, version);
  }

  /** For each secret, the version that all of its targets use. Has no secret whose targets use different versions. */
  #inUse(): ReadonlyMap<string, number> {
    const found = new Map<string, number | undefined>();
    for (const { target, versionsInUse } of this.#workers) {
      for (const path of secretsOf(target)) {
        const used = versionsInUse.get(path);
        const version = used && this.#states.numberOf(path, used);
        const isFirst = !found.has(path);
        found.set(path, isFirst || found.get(path) === version ? version : undefined);
      }
    }
    return new Map([...found].flatMap(([path, version]) => (version === undefined ? [] : [[path, version]])));
  }

  /**
   * Only versions in use are reported. A version that was only received would count as used until the first report of a
   * version in use, also while its command fails and the program still uses an older version. A report that the server
   * refuses does not stop the agent: the files are more important.
   */
  #report(path: string, version: number): void {
    if (version === 0) return;
    this.#watch?.report(path, version, "in-use").catch((error: Error) => {
      this.#options.log.debug("report refused", { path, error: error.message });
    });
  }
}

/** Wakes the worker of a target when its remove_after_outage is over. */
function outageTaskOf(worker: TargetWorker): readonly OutageTask[] {
  const { removeAfterOutageMs: afterMs } = worker.target;
  return afterMs === undefined ? [] : [{ afterMs, run: () => worker.wake() }];
}

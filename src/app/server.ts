import { formatAddress } from "../domain/address.ts";
import { PrivateFileError } from "../domain/private-file.ts";
import type { Timers } from "../domain/timers.ts";
import { SecretsEngine } from "../engine/secrets-engine.ts";
import { FileSource } from "../identity/file-source.ts";
import { MaterialError } from "../identity/material-error.ts";
import type { IdentitySource } from "../identity/source.ts";
import { type LimitedLog, limitLines } from "../observability/limiter.ts";
import type { Logger } from "../observability/logger.ts";
import { Metrics } from "../observability/metrics.ts";
import { type Check, OpsServer } from "../observability/ops-server.ts";
import { StoreRefused } from "../persistence/store-refused.ts";
import { RootKeyRefused } from "../sealing/root-key.ts";
import { SecretStore } from "../store/secret-store.ts";
import { Connections } from "../transport/connection.ts";
import { CONNECTION_REFUSALS } from "../transport/connection-refusal.ts";
import { GrpcServer } from "../transport/grpc-server.ts";
import { HandshakeGate } from "../transport/handshake-gate.ts";
import type { ListenAddress } from "../transport/listen-address.ts";
import { ListenRefused, Listener } from "../transport/listener.ts";
import { Reception } from "../transport/reception.ts";
import { secretsMethods } from "../transport/secrets-service.ts";
import { type CallLog, createCallLog } from "./call-log.ts";
import type { ServeConfig } from "./config.ts";
import { PolicySource } from "./policy-source.ts";
import { release } from "./release.ts";
import { StartRefused } from "./start-refused.ts";
import { type Storage, openStorage } from "./storage.ts";

// Milliseconds that calls under way get at the end; Kubernetes gives a pod 30 s by default.
const DRAIN_MS = 10_000;

// Milliseconds for the answers of a commit whose outcome is unknown to leave the process before it ends.
const LAST_WORDS_MS = 1000;

/** What the process gives to the server. */
export interface ServerParts {
  readonly log: Logger;
  readonly timers: Timers;
  /** Ends the process at once and without any clean-up: nothing may be written after a failed commit. */
  readonly die: () => void;
}

/** A server that answers. */
export interface RunningServer {
  /** Where it listens, with real ports. */
  readonly addresses: readonly ListenAddress[];
  /** Where probes and metrics are served. */
  readonly opsAddress: { readonly host: string; readonly port: number } | undefined;
  /** Reads the policy again; a wrong one leaves the old one in force. */
  reloadPolicy(): void;
  /** Ends in good order: no new connections, calls under way finish, everything is checkpointed. */
  stop(): Promise<void>;
}

type Phase = "loading" | "serving" | "stopping";

/**
 * The composition root: the only place that knows every part. Resolves when the server answers calls; rejects with
 * {@link StartRefused} when the configuration or what it names can't be used.
 */
export async function startServer(config: ServeConfig, parts: ServerParts): Promise<RunningServer> {
  const server = new Assembly(config, parts);
  try {
    await server.start();
    return server;
  } catch (error) {
    await server.abandon();
    throw asStartRefused(error);
  }
}

class Assembly implements RunningServer {
  readonly #config: ServeConfig;
  readonly #parts: ServerParts;
  readonly #metrics = new Metrics({ version: release(), node: process.version });
  readonly #connections = new Connections();
  readonly #limited: LimitedLog;
  readonly #calls: CallLog;
  readonly #gate: HandshakeGate;
  readonly #listeners: Listener[] = [];
  #phase: Phase = "loading";
  #ops: OpsServer | undefined;
  #identity: IdentitySource | undefined;
  #storage: Storage | undefined;
  #policy: PolicySource | undefined;
  #grpc: GrpcServer | undefined;
  #reception: Reception | undefined;
  #checkpointDue = false;
  #failure: Promise<void> | undefined;

  constructor(config: ServeConfig, parts: ServerParts) {
    this.#config = config;
    this.#parts = parts;
    this.#gate = new HandshakeGate(config.handshakes, parts.timers);
    this.#limited = limitLines(parts.log, parts.timers.clock);
    this.#calls = createCallLog(parts.log, this.#limited, this.#metrics);
    this.#metrics.observeConnections(this.#gate, CONNECTION_REFUSALS);
  }

  get addresses(): readonly ListenAddress[] {
    return this.#listeners.map((listener) => listener.address);
  }

  get opsAddress() {
    return this.#ops?.address;
  }

  async start(): Promise<void> {
    this.#parts.log.info("starting", { release: release(), limit: this.#config.maxStoreBytes });
    await this.#listenOps();
    const { identity, policy, storage } = this.#openAll();
    const store = await this.#load(storage);
    const { log, timers } = this.#parts;
    const engine = new SecretsEngine({
      store,
      sealer: storage.sealer,
      authorizer: () => policy.current,
      onDenied: this.#calls.denied,
    });
    this.#grpc = new GrpcServer({
      connections: this.#connections,
      methods: secretsMethods(engine, this.#config.maxContentBytes),
      onHandled: this.#calls.handled,
      timers,
      random: Math.random,
    });
    await this.#listen(identity, this.#grpc);
    this.#phase = "serving";
    log.info("serving", { spiffe_id: identity.snapshot().svid.id.toString() });
  }

  reloadPolicy(): void {
    this.#policy?.reload();
  }

  async stop(): Promise<void> {
    this.#phase = "stopping";
    this.#parts.log.info("stopping");
    for (const listener of this.#listeners) listener.close();
    await this.#grpc?.drain(DRAIN_MS);
    // A Put that came with the last connection is committed after this turn, and not after the journal is closed.
    await new Promise<void>((resolve) => this.#parts.timers.afterTurn(resolve));
    try {
      this.#storage?.journal.checkpoint("full");
    } catch (cause) {
      return this.#onFailed(cause);
    }
    this.#limited.summarize();
    await this.abandon();
    this.#parts.log.info("stopped");
  }

  /** Lets go of everything that was opened so far. */
  async abandon(): Promise<void> {
    for (const listener of this.#listeners) listener.close();
    this.#reception?.close();
    this.#identity?.close();
    this.#storage?.close();
    this.#metrics.close();
    await this.#ops?.close();
  }

  async #listenOps(): Promise<void> {
    const { opsListen } = this.#config;
    if (opsListen === undefined) return;
    const sources = {
      readiness: () => this.#readiness(),
      metrics: () => this.#metrics.expose(),
      log: this.#parts.log,
    };
    this.#ops = await OpsServer.listen(opsListen, sources).catch((cause: NodeJS.ErrnoException) => {
      const address = formatAddress({ kind: "tcp", ...opsListen });
      const problem = `--ops-listen: can't listen on ${address} (${cause.code}); give another address, or off`;
      throw new StartRefused([problem], { cause });
    });
  }

  #readiness(): readonly Check[] {
    const phase = this.#phase;
    const store: Check =
      phase === "loading" ? { name: "store", state: "not ready", why: "loading" } : { name: "store", state: "ok" };
    const serving: Check =
      phase === "serving" ? { name: "serving", state: "ok" } : { name: "serving", state: "not ready", why: phase };
    return [store, serving];
  }

  /** Opens all that the configuration names, and reports all that is wrong with it together. */
  #openAll(): { identity: IdentitySource; policy: PolicySource; storage: Storage } {
    const { cert, key, bundles, policy: file, admins, store } = this.#config;
    const { log, timers } = this.#parts;
    const problems: string[] = [];
    const identity = FileSource.open({ files: { cert, key, bundles }, purpose: "server", timers });
    this.#identity = identity;
    collect(problems, () => identity.snapshot());
    const policy = collect(problems, () => PolicySource.open({ file, admins, trustDomains: bundles.keys(), log }));
    const storage = collect(problems, () => openStorage(store));
    this.#storage = storage;
    this.#policy = policy;
    if (policy === undefined || storage === undefined || problems.length > 0) throw new StartRefused(problems);
    for (const detail of storage.warnings) log.warn("store warning", { detail });
    return { identity, policy, storage };
  }

  async #load({ journal, sealer }: Storage): Promise<SecretStore> {
    const { log, timers } = this.#parts;
    const { maxStoreBytes } = this.#config;
    const begun = timers.elapsed();
    const observer = {
      committed: (seconds: number, changes: number) => this.#onCommitted(seconds, changes),
      queued: (seconds: number) => this.#metrics.waited(seconds),
      failed: (cause: unknown) => void this.#onFailed(cause),
    };
    const store = await SecretStore.load({ journal, sealer, observer, timers, maxStoreBytes });
    const seconds = (timers.elapsed() - begun) / 1000;
    this.#metrics.loaded(seconds);
    this.#metrics.observeStore(() => ({ ...store.totals, limit: maxStoreBytes }));
    log.info("store loaded", { ...store.totals, limit: maxStoreBytes, seconds });
    if (store.totals.bytes > maxStoreBytes) {
      log.warn("store above its limit", {
        bytes: store.totals.bytes,
        limit: maxStoreBytes,
        detail: "Puts are refused",
      });
    }
    return store;
  }

  async #listen(identity: IdentitySource, grpc: GrpcServer): Promise<void> {
    const reception = new Reception({
      identity,
      connections: this.#connections,
      gate: this.#gate,
      timers: this.#parts.timers,
      onConnection: (connection) => grpc.serve(connection),
      onRefused: this.#calls.refused,
    });
    this.#reception = reception;
    for (const address of this.#config.listen) {
      const listener = await Listener.listen(address, {
        accept: (socket) => reception.receive(socket),
        failed: (error) => reception.notAccepted(error),
      });
      this.#listeners.push(listener);
      this.#parts.log.info("listening", { address: formatAddress(listener.address) });
    }
  }

  /** A checkpoint is looked at after the replies, so that no caller waits for it. */
  #onCommitted(seconds: number, changes: number): void {
    this.#metrics.committed(seconds, changes);
    if (this.#checkpointDue) return;
    this.#checkpointDue = true;
    this.#parts.timers.afterTurn(() => this.#checkpoint());
  }

  #checkpoint(): void {
    this.#checkpointDue = false;
    if (this.#phase === "stopping") return;
    try {
      this.#storage?.journal.checkpoint("due");
    } catch (cause) {
      void this.#onFailed(cause);
    }
  }

  /** After a checkpoint that failed, commits that were waiting fail as well: the first failure is the one to tell. */
  #onFailed(cause: unknown): Promise<void> {
    this.#failure ??= this.#endAfter(cause);
    return this.#failure;
  }

  /** The disk has failed in the middle of a change. What is on it only a restart can tell. */
  async #endAfter(cause: unknown): Promise<void> {
    this.#phase = "stopping";
    this.#parts.log.error("the journal failed; the process ends", { error: String(cause) });
    for (const listener of this.#listeners) listener.close();
    await this.#grpc?.drain(LAST_WORDS_MS);
    this.#parts.die();
  }
}

function collect<T>(problems: string[], open: () => T): T | undefined {
  try {
    return open();
  } catch (error) {
    problems.push(...asStartRefused(error).problems);
    return undefined;
  }
}

/** What an operator can mend becomes a sentence; anything else is a fault of ours and passes through. */
function asStartRefused(error: unknown): StartRefused {
  if (error instanceof StartRefused) return error;
  if (error instanceof MaterialError) return new StartRefused(error.problems, { cause: error });
  const known = [StoreRefused, RootKeyRefused, PrivateFileError, ListenRefused];
  if (known.some((kind) => error instanceof kind))
    return new StartRefused([(error as Error).message], { cause: error });
  throw error;
}

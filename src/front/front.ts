import type { CertificateFilter } from "../admission/certificate-filter.ts";
import { ConnectionAdmission } from "../admission/connection-admission.ts";
import { Connections } from "../admission/connection.ts";
import { type GateCounts, HandshakeGate, mostServed } from "../admission/handshake-gate.ts";
import type { ListenAddress } from "../admission/listener.ts";
import type { Authorizer } from "../authorization/authorizer.ts";
import type { Timers } from "../domain/timers.ts";
import { SecretsEngine } from "../engine/secrets-engine.ts";
import type { BudgetMemory } from "../grpc/budget-memory.ts";
import { GrpcServer } from "../grpc/grpc-server.ts";
import { secretsMethods } from "../grpc/secrets-service.ts";
import type { WatchCounts } from "../grpc/watch-route.ts";
import type { IdentitySource } from "../identity/source.ts";
import type { Sealer } from "../sealing/sealer.ts";
import type { Changes } from "../store/changes.ts";
import type { SecretReader } from "../store/secret-reader.ts";
import type { WatchRegistry } from "../store/watch-registry.ts";
import type { WatchHub } from "../watch/watch-hub.ts";
import type { CallLog } from "./call-log.ts";
import type { FrontConfig } from "./front-config.ts";
import type { FrontControl } from "./front-control.ts";
import type { Intake } from "./intake.ts";

/** The dependencies of a {@link Front}. */
export interface FrontOptions {
  readonly config: FrontConfig;
  readonly intake: Intake;
  readonly filter: CertificateFilter;
  readonly identity: IdentitySource;
  /** See SecretsEngine. */
  readonly authorizer: () => Authorizer;
  readonly secrets: SecretReader;
  readonly changes: Changes;
  readonly watches: WatchHub;
  readonly watchers: WatchRegistry;
  /** Seals page tokens. */
  readonly sealer: Sealer;
  readonly calls: CallLog;
  /** What the callers of all fronts hold. */
  readonly budgets: BudgetMemory;
  /** Receives the numbers of its connections, handshakes and watches. */
  readonly counts: GateCounts & WatchCounts;
  readonly timers: Timers;
}

/** Everything from the accepted socket to the answer, on one thread. */
export class Front implements FrontControl {
  readonly #options: FrontOptions;
  readonly #connections: Connections;
  /** Undefined until {@link open} is called. */
  #open: { readonly grpc: GrpcServer; readonly admission: ConnectionAdmission } | undefined;

  constructor(options: FrontOptions) {
    this.#options = options;
    const { number, fronts } = options.config;
    this.#connections = new Connections({ first: number + 1, step: fronts });
  }

  /** The identity must be ready. */
  async open(): Promise<readonly ListenAddress[]> {
    const grpc = this.#createServer();
    const admission = this.#createAdmission(grpc);
    this.#open = { grpc, admission };
    this.#options.identity.onState(({ kind }) => grpc.reportHealth(kind === "ready" ? "SERVING" : "NOT_SERVING"));
    return this.#options.intake.begin(admission);
  }

  leave(): void {
    this.#open?.grpc.leave();
  }

  refuseCalls(): void {
    this.#open?.grpc.refuseCalls();
  }

  async stopListening(): Promise<void> {
    this.#options.intake.end();
  }

  async drain(graceMs: number): Promise<void> {
    this.#options.intake.end();
    await this.#open?.grpc.drain(graceMs);
  }

  /** On the thread of the front, every order takes effect immediately. */
  async settled(): Promise<void> {}

  async close(): Promise<void> {
    this.#options.intake.close();
    this.#connections.closeAll();
    this.#open?.admission.close();
  }

  #createServer(): GrpcServer {
    const { config, calls, counts, timers, authorizer, secrets, changes, sealer, budgets, watches, watchers } =
      this.#options;
    const engine = new SecretsEngine({ secrets, changes, watchers, sealer, authorizer, onDenied: calls.denied });
    return new GrpcServer({
      connections: this.#connections,
      limits: config.budgets,
      memory: budgets,
      maxConnections: mostServed(config.handshakes),
      methods: secretsMethods(engine, config.maxContentBytes),
      watch: { permit: (caller) => engine.permitWatch(caller), watches, counts },
      onHandled: calls.handled,
      onCrowdedOut: calls.crowdedOut,
      onInterrupted: calls.interrupted,
      timers,
      random: Math.random,
    });
  }

  #createAdmission(grpc: GrpcServer): ConnectionAdmission {
    const { config, counts, calls, timers, identity, filter } = this.#options;
    return new ConnectionAdmission({
      identity,
      connections: this.#connections,
      gate: new HandshakeGate(config.handshakes, timers, counts),
      filter,
      timers,
      onConnection: (connection) => grpc.serve(connection),
      onRefused: calls.refused,
    });
  }
}

import { formatAddress } from "../domain/address.ts";
import type { Timers } from "../domain/timers.ts";
import type { IdentitySource } from "../identity/source.ts";
import type { Logger } from "../observability/logger.ts";
import { Connections } from "../admission/connection.ts";
import { GrpcServer } from "../grpc/grpc-server.ts";
import { type GateCounts, HandshakeGate, mostServed } from "../admission/handshake-gate.ts";
import { type ListenAddress, Listener } from "../admission/listener.ts";
import { ConnectionAdmission } from "../admission/connection-admission.ts";
import type { SecretsMethods } from "../grpc/secrets-service.ts";
import type { CallLog } from "./call-log.ts";
import type { ServeConfig } from "../config/serve-config.ts";

/** The dependencies of a {@link Front}. */
export interface FrontOptions {
  readonly config: Pick<ServeConfig, "handshakes" | "budgets" | "listen">;
  readonly calls: CallLog;
  /** Receives the numbers of its connections and handshakes. */
  readonly counts: GateCounts;
  readonly log: Logger;
  readonly timers: Timers;
}

/** Everything between the network and the RPC methods: listeners, handshakes, connections and calls. */
export class Front {
  readonly #gate: HandshakeGate;
  readonly #options: FrontOptions;
  readonly #connections = new Connections();
  readonly #listeners: Listener[] = [];
  /** Undefined until {@link open} is called. */
  #open: { readonly grpc: GrpcServer; readonly admission: ConnectionAdmission } | undefined;

  constructor(options: FrontOptions) {
    this.#options = options;
    this.#gate = new HandshakeGate(options.config.handshakes, options.timers, options.counts);
  }

  /** The addresses of its listeners. Port 0 is replaced by the actual port. */
  get addresses(): readonly ListenAddress[] {
    return this.#listeners.map((listener) => listener.address);
  }

  /** Whether it has been opened, so that calls may have arrived. */
  get isOpen(): boolean {
    return this.#open !== undefined;
  }

  /** Serves `methods` to the peers that `identity` can verify. Rejects with ListenRefused. */
  async open(identity: IdentitySource, methods: SecretsMethods): Promise<void> {
    const { calls, config, timers } = this.#options;
    const grpc = new GrpcServer({
      connections: this.#connections,
      limits: config.budgets,
      maxConnections: mostServed(config.handshakes),
      methods,
      onHandled: calls.handled,
      onCrowdedOut: calls.crowdedOut,
      timers,
      random: Math.random,
    });
    identity.onState(({ kind }) => grpc.reportHealth(kind === "ready" ? "SERVING" : "NOT_SERVING"));
    const admission = this.#admissionTo(grpc, identity);
    this.#open = { grpc, admission };
    await this.#listen(admission);
  }

  /** Reports NOT_SERVING to health checks from now on. Calls that arrive are still served. */
  leave(): void {
    this.#open?.grpc.leave();
  }

  /**
   * Accepts no more connections. Calls in progress, and calls that cross the GOAWAY on the wire, get `graceMs`
   * milliseconds.
   */
  async drain(graceMs: number): Promise<void> {
    this.#closeListeners();
    await this.#open?.grpc.drain(graceMs);
  }

  /** Accepts neither connections nor calls. Responses that are being sent get `graceMs` milliseconds. */
  async fail(graceMs: number): Promise<void> {
    this.#open?.grpc.refuseCalls();
    await this.drain(graceMs);
  }

  /** Closes every connection immediately. */
  close(): void {
    this.#closeListeners();
    this.#connections.closeAll();
    this.#open?.admission.close();
  }

  #admissionTo(grpc: GrpcServer, identity: IdentitySource): ConnectionAdmission {
    const { calls, timers } = this.#options;
    return new ConnectionAdmission({
      identity,
      connections: this.#connections,
      gate: this.#gate,
      timers,
      onConnection: (connection) => grpc.serve(connection),
      onRefused: calls.refused,
    });
  }

  async #listen(admission: ConnectionAdmission): Promise<void> {
    const { config, log } = this.#options;
    for (const address of config.listen) {
      const listener = await Listener.listen(address, {
        accept: (socket) => admission.receive(socket),
        failed: (error) => admission.notAccepted(error),
      });
      this.#listeners.push(listener);
      log.info("listening", { address: formatAddress(listener.address) });
    }
  }

  #closeListeners(): void {
    for (const listener of this.#listeners) listener.close();
  }
}

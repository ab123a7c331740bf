import type { ServiceDefinition } from "@grpc/grpc-js";
import { HealthImplementation } from "grpc-health-check";
import { descriptorSet, loadContract, serviceDefinition } from "../contract/descriptors.ts";
import { type FileDescriptor, fileDescriptors } from "../contract/file-descriptors.ts";
import type { Timers } from "../domain/timers.ts";
import { type BudgetLimits, Budgets, MINIMUM_BUDGET } from "./budget.ts";
import { BudgetMemory } from "./budget-memory.ts";
import { CallServer } from "./call-server.ts";
import type { Connection, Connections } from "../admission/connection.ts";
import type { Handled } from "./authorized-route.ts";
import { IncomingCalls, type Route } from "./incoming-calls.ts";
import { OpenStreams } from "./open-streams.ts";
import { REFLECTION_SERVICES, Reflection } from "./reflection.ts";
import { METHODS, type SecretsMethods } from "./secrets-service.ts";
import { Session } from "./session.ts";
import { type UnaryMethod, unary } from "./unary.ts";
import { type WatchMethod, watchRoute } from "./watch-route.ts";

/** The full name of Coffer's own service. */
export const SECRETS_SERVICE = "coffer.v1.Secrets";

const HEALTH_SERVICE = "grpc.health.v1.Health";

// Bytes. Requests to health and reflection contain only names.
const MAX_NAME_REQUEST_BYTES = 8 * 1024;

/** Options of grpc-js. Sizes are bytes. The service of channelz is not served. */
const CALL_OPTIONS = { "grpc.max_receive_message_length": MAX_NAME_REQUEST_BYTES, "grpc.enable_channelz": 0 };

/** What a server needs. */
export interface GrpcServerOptions {
  readonly connections: Connections;
  /** The limits of all callers together. */
  readonly limits: BudgetLimits;
  /** The maximum number of connections that are served. */
  readonly maxConnections: number;
  /** What the callers of all threads hold. Default: memory of this thread alone. */
  readonly memory?: BudgetMemory;
  readonly methods: SecretsMethods;
  readonly watch: WatchMethod;
  readonly onHandled: (handled: Handled) => void;
  /** Called with a connection that was closed because there were too many. */
  readonly onCrowdedOut: (connection: Connection) => void;
  /** Called with the number of connections that were still open when the time of a graceful shutdown was over. */
  readonly onInterrupted: (connections: number) => void;
  readonly timers: Timers;
  /** Returns a new number in [0, 1) at each call. */
  readonly random: () => number;
}

/** Serves Coffer's own service, health and reflection over verified connections. */
export class GrpcServer {
  readonly #options: GrpcServerOptions;
  readonly #budgets: Budgets;
  readonly #sessions = new Set<Session>();
  readonly #others = new CallServer(CALL_OPTIONS);
  readonly #routes = new Map<string | undefined, Route>();
  readonly #calls: IncomingCalls;
  readonly #streams = new OpenStreams();
  readonly #health = new HealthImplementation({ "": "SERVING", [SECRETS_SERVICE]: "SERVING" });
  #state: "serving" | "leaving" | "draining" | "refusing" = "serving";

  constructor(options: GrpcServerOptions) {
    this.#options = options;
    const { limits, maxConnections, memory = BudgetMemory.of(maxConnections, 1), timers } = options;
    this.#budgets = new Budgets({ limits, minimum: MINIMUM_BUDGET, memory, timers });
    const unknown: Route = { kind: "open", isStreaming: false };
    this.#calls = new IncomingCalls({
      routeOf: (path) => this.#routes.get(path) ?? unknown,
      accepts: () => this.#state !== "refusing",
      timers: options.timers,
      onHandled: options.onHandled,
      answerOpen: (stream, headers) => this.#others.answer(stream, headers),
    });
    const files = fileDescriptors(descriptorSet());
    this.#addSecrets(files);
    this.#addOthers(files);
  }

  /**
   * Serves a connection from its first byte of HTTP/2 until its lifetime is over. While the server drains, a new
   * connection gets a GOAWAY immediately instead of being refused: its client may have sent calls together with its
   * handshake.
   */
  serve(connection: Connection): void {
    if (this.#state === "refusing") connection.close();
    else this.#begin(connection);
  }

  /** Sets the status that the health service reports, unless the server is shutting down. */
  reportHealth(status: "SERVING" | "NOT_SERVING"): void {
    if (this.#state === "serving") this.#setHealth(status);
  }

  /** Reports NOT_SERVING to health checks, so that clients use another server. Calls that still arrive are served. */
  leave(): void {
    this.#state = "leaving";
    this.#setHealth("NOT_SERVING");
  }

  /** Refuses every new call with SHUTTING_DOWN. For a server that can no longer write. */
  refuseCalls(): void {
    this.#setHealth("NOT_SERVING");
    this.#state = "refusing";
  }

  /**
   * Shuts down gracefully: the health service reports NOT_SERVING, the streams of health and reflection end, and every
   * connection gets a GOAWAY. Calls that the peer sent before it received the GOAWAY are served. A connection closes
   * after its last answer, or after `graceMs` milliseconds.
   */
  async drain(graceMs: number): Promise<void> {
    if (this.#state === "serving") this.leave();
    if (this.#state === "leaving") this.#state = "draining";
    this.#streams.endAll();
    for (const session of this.#sessions) session.goAway();
    let cancel = () => {};
    const tooLong = new Promise<void>((resolve) => {
      cancel = this.#options.timers.delay(graceMs, resolve);
    });
    await Promise.race([this.#options.connections.allClosed(), tooLong]);
    cancel();
    const { count } = this.#options.connections;
    if (this.#state === "draining" && count > 0) this.#options.onInterrupted(count);
    // From here on the journal may be closed, so a later connection must not reach the store.
    this.#state = "refusing";
    this.#options.connections.closeAll();
    this.#calls.close();
  }

  #addSecrets(files: readonly FileDescriptor[]): void {
    const symbols = new Set(files.flatMap((file) => file.symbols));
    const methods = Object.entries(this.#options.methods) as [
      keyof SecretsMethods,
      UnaryMethod<never, never, unknown>,
    ][];
    for (const [name, method] of methods) {
      const id = { path: pathOf(name, symbols), number: METHODS.indexOf(name) };
      this.#routes.set(id.path, unary(id, method));
    }
    const watch = { path: pathOf("Watch", symbols), number: METHODS.indexOf("Watch") };
    this.#routes.set(watch.path, watchRoute(watch, this.#options.watch));
  }

  /** Only their files are loaded: grpc-js decodes the messages of these services, and of no others. */
  #addOthers(files: readonly FileDescriptor[]): void {
    const contract = loadContract(files.filter(({ name }) => name.startsWith("grpc/")));
    const tracking = this.#streams.tracking(this.#others);
    this.#health.addToServer(tracking as CallServer);
    this.#routeOthers(serviceDefinition(contract, HEALTH_SERVICE));
    const services = [SECRETS_SERVICE, HEALTH_SERVICE, ...REFLECTION_SERVICES];
    const reflection = new Reflection(files, services);
    for (const name of REFLECTION_SERVICES) {
      const definition = serviceDefinition(contract, name);
      tracking.addService(definition, reflection.implementation);
      this.#routeOthers(definition);
    }
  }

  #routeOthers(definition: ServiceDefinition): void {
    for (const { path, requestStream, responseStream } of Object.values(definition)) {
      this.#routes.set(path, { kind: "open", isStreaming: requestStream || responseStream });
    }
  }

  #begin(connection: Connection): void {
    const { timers, random } = this.#options;
    const session = new Session({
      connection,
      budget: this.#budgets.join(connection.id.toString()),
      timers,
      random,
      onStream: (stream, headers, isComplete) => this.#calls.take({ session, stream, headers, isComplete }),
    });
    this.#sessions.add(session);
    if (this.#sessions.size > this.#options.maxConnections) this.#closeOneOfMost();
    connection.socket.once("close", () => this.#remove(session));
    if (this.#state === "draining") session.goAway();
  }

  /** Removes a session, whose socket is closed or about to be, and its connection from the budget of its SPIFFE ID. */
  #remove(session: Session): void {
    if (this.#sessions.delete(session)) this.#budgets.leave(session.connection.id.toString());
  }

  /**
   * Closes the oldest idle connection of the SPIFFE ID that has the most, or its oldest if none is idle. A SPIFFE ID
   * that opens too many connections therefore loses its own.
   */
  #closeOneOfMost(): void {
    const budget = this.#budgets.mostConnected;
    const sessions = [...this.#sessions].filter((session) => session.budget === budget);
    const session = sessions.find(({ isIdle }) => isIdle) ?? sessions[0];
    if (session === undefined) return;
    this.#remove(session);
    session.close();
    this.#options.onCrowdedOut(session.connection);
  }

  #setHealth(status: "SERVING" | "NOT_SERVING"): void {
    for (const service of ["", SECRETS_SERVICE]) this.#health.setStatus(service, status);
  }
}

/** The path of a method of Coffer's service, which `symbols` of the contract must contain. */
function pathOf(method: string, symbols: ReadonlySet<string>): string {
  if (!symbols.has(`${SECRETS_SERVICE}.${method}`)) throw new Error(`the contract has no method ${method}`);
  return `/${SECRETS_SERVICE}/${method}`;
}

import { type ConnectionInjector, Server, ServerCredentials, type ServiceDefinition } from "@grpc/grpc-js";
import { HealthImplementation } from "grpc-health-check";
import { descriptorSet, loadContract, serviceDefinition } from "../contract/descriptors.ts";
import { fileDescriptors } from "../contract/file-descriptors.ts";
import { MAX_RECEIVE_BYTES } from "../contract/limits.ts";
import type { Timers } from "../domain/timers.ts";
import type { Connection, Connections } from "./connection.ts";
import { GRACE_MS, endInTime, lifetimeOf } from "./lifetime.ts";
import { OpenStreams } from "./open-streams.ts";
import { REFLECTION_SERVICES, Reflection } from "./reflection.ts";
import type { SecretsMethods } from "./secrets-service.ts";
import { type Handled, type Method, unary } from "./unary.ts";
import { wipingStreams } from "./wiped-streams.ts";

/** The full name of Coffer's own service. */
export const SECRETS_SERVICE = "coffer.v1.Secrets";

const HEALTH_SERVICE = "grpc.health.v1.Health";

/** What grpc-js is told. Sizes are bytes, times milliseconds. */
const OPTIONS = {
  "grpc.max_receive_message_length": MAX_RECEIVE_BYTES,
  // The only bound on what one connection can make the server hold at once; Node's own is none.
  "grpc.max_concurrent_streams": 256,
  // A peer that vanished without a word is noticed after a minute and a third.
  "grpc.keepalive_time_ms": 60_000,
  "grpc.keepalive_timeout_ms": 20_000,
  // Measured: channelz costs a tenth of the throughput, and nobody here could ask it anything.
  "grpc.enable_channelz": 0,
};

/** What a server needs. */
export interface GrpcServerParts {
  readonly connections: Connections;
  readonly methods: SecretsMethods;
  readonly onHandled: (handled: Handled) => void;
  readonly timers: Timers;
  /** A number in [0, 1), each time another one. */
  readonly random: () => number;
}

/** gRPC over connections that were verified elsewhere: Coffer's own service, health and reflection. */
export class GrpcServer {
  readonly #parts: GrpcServerParts;
  readonly #server = new Server({ ...OPTIONS, interceptors: [wipingStreams(SECRETS_SERVICE)] });
  /** One for each connection, so that each can be told to go away by itself. */
  readonly #injectors = new Set<ConnectionInjector>();
  readonly #streams = new OpenStreams();
  readonly #health = new HealthImplementation({ "": "SERVING", [SECRETS_SERVICE]: "SERVING" });
  #state: "serving" | "leaving" | "draining" = "serving";

  constructor(parts: GrpcServerParts) {
    this.#parts = parts;
    const server = this.#server;
    const contract = loadContract();
    const unaryParts = { ...parts, accepts: () => this.#state !== "draining" };
    const tracking = this.#streams.tracking(server);

    const secrets = serviceDefinition(contract, SECRETS_SERVICE);
    const handlers = Object.entries(parts.methods).map(([name, method]: [string, Method<never, never>]) => [
      name,
      unary(secrets[name]!.path, method, unaryParts),
    ]);
    server.addService(passingBytes(secrets), Object.fromEntries(handlers));
    this.#health.addToServer(tracking as Server);
    const reflection = new Reflection(fileDescriptors(descriptorSet()), [
      SECRETS_SERVICE,
      HEALTH_SERVICE,
      ...REFLECTION_SERVICES,
    ]);
    for (const name of REFLECTION_SERVICES) {
      tracking.addService(serviceDefinition(contract, name), reflection.implementation);
    }
  }

  /**
   * Serves a connection from its first byte of HTTP/2 on, until its lifetime is over. One whose handshake ends when the
   * server drains already is closed: it came too late to be told to go away, and nobody would wait for its end.
   */
  serve(connection: Connection): void {
    if (this.#state === "draining") connection.socket.destroy();
    else this.#hold(connection);
  }

  #hold(connection: Connection): void {
    const { timers, random } = this.#parts;
    const { socket, validUntil } = connection;
    const injector = this.#server.createConnectionInjector(ServerCredentials.createInsecure());
    const lifetime = lifetimeOf(validUntil, timers.clock(), random());
    const cancel = endInTime(
      lifetime,
      { goAway: () => injector.drain(GRACE_MS), close: () => socket.destroy() },
      timers,
    );
    this.#injectors.add(injector);
    socket.once("close", () => {
      cancel();
      this.#injectors.delete(injector);
      injector.destroy();
    });
    injector.injectConnection(socket);
  }

  /** What the health service says from now on, unless the server is about to end. */
  reportHealth(status: "SERVING" | "NOT_SERVING"): void {
    if (this.#state === "serving") this.#setHealth(status);
  }

  /** Health says from now on that nobody is to be sent here. Whoever comes all the same is served. */
  leave(): void {
    this.#state = "leaving";
    this.#setHealth("NOT_SERVING");
  }

  /**
   * Ends in good order: health says so, streams end, new calls are refused, connections are told to go away. A
   * connection closes when its last call is answered, or when `graceMs` are over.
   */
  async drain(graceMs: number): Promise<void> {
    if (this.#state === "serving") this.leave();
    this.#state = "draining";
    this.#streams.endAll();
    for (const injector of this.#injectors) injector.drain(graceMs);
    let cancel = () => {};
    const tooLong = new Promise<void>((resolve) => {
      cancel = this.#parts.timers.delay(graceMs, resolve);
    });
    await Promise.race([this.#parts.connections.allClosed(), tooLong]);
    cancel();
    this.#parts.connections.destroyAll();
  }

  #setHealth(status: "SERVING" | "NOT_SERVING"): void {
    for (const service of ["", SECRETS_SERVICE]) this.#health.setStatus(service, status);
  }
}

/** The service with its messages left as bytes: the unary wrapper reads them, strictly. */
function passingBytes(service: ServiceDefinition): ServiceDefinition {
  const asIs = (bytes: Buffer) => bytes;
  const codec = {
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  };
  return Object.fromEntries(Object.entries(service).map(([name, method]) => [name, { ...method, ...codec }]));
}

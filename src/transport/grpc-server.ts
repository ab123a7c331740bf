import { type ConnectionInjector, Server, ServerCredentials, type ServiceDefinition } from "@grpc/grpc-js";
import { HealthImplementation } from "grpc-health-check";
import { descriptorSet, loadContract, serviceDefinition } from "../contract/descriptors.ts";
import { fileDescriptors } from "../contract/file-descriptors.ts";
import { MAX_RECEIVE_BYTES } from "../contract/limits.ts";
import type { Timers } from "../domain/timers.ts";
import type { Connection, Connections } from "./connection.ts";
import { OpenStreams } from "./open-streams.ts";
import { REFLECTION_SERVICES, Reflection } from "./reflection.ts";
import type { SecretsMethods } from "./secrets-service.ts";
import { type Handled, type Method, unary } from "./unary.ts";

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
}

/** gRPC over connections that were verified elsewhere: Coffer's own service, health and reflection. */
export class GrpcServer {
  readonly #injector: ConnectionInjector;
  readonly #connections: Connections;
  readonly #streams = new OpenStreams();
  readonly #health = new HealthImplementation({ "": "SERVING", [SECRETS_SERVICE]: "SERVING" });
  readonly #timers: Timers;
  #state: "serving" | "draining" = "serving";

  constructor(parts: GrpcServerParts) {
    const server = new Server(OPTIONS);
    const contract = loadContract();
    const unaryParts = { ...parts, accepts: () => this.#state === "serving" };
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

    this.#connections = parts.connections;
    this.#timers = parts.timers;
    this.#injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  }

  /** Serves a connection from its first byte of HTTP/2 on. */
  serve(connection: Connection): void {
    this.#injector.injectConnection(connection.socket);
  }

  /**
   * Ends in good order: health says so, streams end, new calls are refused, connections are told to go away. A
   * connection closes when its last call is answered, or when `graceMs` are over.
   */
  async drain(graceMs: number): Promise<void> {
    this.#state = "draining";
    for (const service of ["", SECRETS_SERVICE]) this.#health.setStatus(service, "NOT_SERVING");
    this.#streams.endAll();
    this.#injector.drain(graceMs);
    let cancel = () => {};
    const tooLong = new Promise<void>((resolve) => {
      cancel = this.#timers.delay(graceMs, resolve);
    });
    await Promise.race([this.#connections.allClosed(), tooLong]);
    cancel();
    this.#connections.destroyAll();
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

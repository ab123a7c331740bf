import { type Server, type UntypedHandleCall, type UntypedServiceImplementation, status } from "@grpc/grpc-js";
import type { EventEmitter } from "node:events";

/**
 * The streams that are open. A health Watch or a reflection stream never ends by itself, and a shutdown that waited for
 * it would wait for ever.
 */
export class OpenStreams {
  readonly #open = new Set<EventEmitter>();

  /** A server that remembers the streams of every service added through it. */
  tracking(server: Server): Pick<Server, "addService"> {
    return {
      addService: (definition, implementation) => {
        const streaming = (name: string) =>
          Object.values(definition).some((method) => method.originalName === name && method.responseStream);
        server.addService(definition, this.#tracked(implementation, streaming));
      },
    };
  }

  /** Ends each stream with UNAVAILABLE: its reader is to look for another server. */
  endAll(): void {
    for (const call of this.#open) {
      call.emit("error", { code: status.UNAVAILABLE, details: "the server is shutting down" });
    }
  }

  #tracked(
    implementation: UntypedServiceImplementation,
    streaming: (name: string) => boolean,
  ): UntypedServiceImplementation {
    const entries = Object.entries(implementation).map(([name, handler]): [string, UntypedHandleCall] => [
      name,
      streaming(name) || streaming(name.charAt(0).toLowerCase() + name.slice(1)) ? this.#remembering(handler) : handler,
    ]);
    return Object.fromEntries(entries);
  }

  #remembering(handler: UntypedHandleCall): UntypedHandleCall {
    return ((call: EventEmitter, ...rest: unknown[]) => {
      this.#open.add(call);
      // grpc-js emits it after every call, not only after a cancelled one.
      call.once("cancelled", () => this.#open.delete(call));
      return (handler as (...parts: unknown[]) => void)(call, ...rest);
    }) as UntypedHandleCall;
  }
}

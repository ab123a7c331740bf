import { type Server, type UntypedHandleCall, type UntypedServiceImplementation, status } from "@grpc/grpc-js";
import type { EventEmitter } from "node:events";

/**
 * The open streams of health Watch and reflection. They do not end by themselves, so a shutdown that waited for them
 * would never finish.
 */
export class OpenStreams {
  readonly #open = new Set<EventEmitter>();

  /** A wrapper of a server that tracks the streams of every service that is added through it. */
  tracking(server: Server): Pick<Server, "addService"> {
    return {
      addService: (definition, implementation) => {
        const streaming = (name: string) =>
          Object.values(definition).some((method) => method.originalName === name && method.responseStream);
        server.addService(definition, this.#tracked(implementation, streaming));
      },
    };
  }

  /** Ends each stream with UNAVAILABLE, so that its client tries another server. */
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
      streaming(name) || streaming(name.charAt(0).toLowerCase() + name.slice(1)) ? this.#trackCalls(handler) : handler,
    ]);
    return Object.fromEntries(entries);
  }

  #trackCalls(handler: UntypedHandleCall): UntypedHandleCall {
    return ((call: EventEmitter, ...rest: unknown[]) => {
      this.#open.add(call);
      // grpc-js emits this event after every call, not only after a cancelled one.
      call.once("cancelled", () => this.#open.delete(call));
      return (handler as (...parts: unknown[]) => void)(call, ...rest);
    }) as UntypedHandleCall;
  }
}

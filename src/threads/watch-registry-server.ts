import type { OwnWatchRegistry, WatcherCount } from "../store/watch-registry.ts";
import type { Port } from "./port.ts";
import type { RegistryAnswer, RegistryQuestion, RegistryRequest } from "./registry-messages.ts";
import { describeError } from "./sent-error.ts";

/** The store thread's end of the channel for the registry. */
export type RegistryPort = Port<readonly RegistryRequest[], readonly RegistryAnswer[]>;

/** Serves the registry of watches to one front. The watches of the front end with it. */
export class WatchRegistryServer {
  readonly #port: RegistryPort;
  readonly #registry: OwnWatchRegistry;
  /** The open watches of the front. */
  readonly #watches = new Set<string>();
  #isClosed = false;

  constructor(port: RegistryPort, registry: OwnWatchRegistry) {
    this.#port = port;
    this.#registry = registry;
    port.onMessage((requests) => this.#receive(requests));
  }

  /** The front has ended. Its requests that have not been received yet are ignored: its watches have ended with it. */
  close(): void {
    this.#isClosed = true;
    this.#port.close();
    for (const watchId of this.#watches) this.#registry.closed(watchId);
    this.#watches.clear();
  }

  #receive(requests: readonly RegistryRequest[]): void {
    if (this.#isClosed) return;
    const answers: RegistryAnswer[] = [];
    for (const request of requests) {
      if (request.kind === "closed") this.#closed(request.watchId);
      else answers.push(this.#answer(request));
    }
    if (answers.length > 0) this.#port.post(answers);
  }

  #closed(watchId: string): void {
    this.#watches.delete(watchId);
    this.#registry.closed(watchId);
  }

  #answer(question: RegistryQuestion): RegistryAnswer {
    const { id } = question;
    try {
      return { kind: "done", id, count: this.#result(question) };
    } catch (error) {
      return { kind: "failed", id, error: describeError(error) };
    }
  }

  #result(question: RegistryQuestion): WatcherCount | undefined {
    switch (question.kind) {
      case "opened":
        this.#watches.add(question.watch.watchId);
        this.#registry.opened(question.watch, () => {});
        return undefined;
      case "report":
        this.#registry.report(question.report);
        return undefined;
      case "count":
        return this.#registry.count(question.path, question.newest);
    }
  }
}

import type { SecretPath } from "../domain/secret-path.ts";
import type { Timers } from "../domain/timers.ts";
import type {
  NewestVersion,
  OpenedWatch,
  VersionReport,
  WatchRegistry,
  WatcherCount,
} from "../store/watch-registry.ts";
import type { Port } from "./port.ts";
import type { RegistryAnswer, RegistryRequest } from "./registry-messages.ts";
import { restoreError } from "./sent-error.ts";

/** Receives the answer to a request. */
interface Pending {
  readonly resolve: (count: WatcherCount | undefined) => void;
  readonly reject: (error: Error) => void;
}

/** The registry of watches in the store thread, as a front uses it. The requests of one turn leave as one message. */
export class RemoteWatchRegistry implements WatchRegistry {
  readonly #port: Port<readonly RegistryAnswer[], readonly RegistryRequest[]>;
  readonly #timers: Pick<Timers, "afterTurn">;
  readonly #pending = new Map<number, Pending>();
  #requests: RegistryRequest[] = [];
  #lastId = 0;

  constructor(port: Port<readonly RegistryAnswer[], readonly RegistryRequest[]>, timers: Pick<Timers, "afterTurn">) {
    this.#port = port;
    this.#timers = timers;
    port.onMessage((answers) => {
      for (const answer of answers) this.#answered(answer);
    });
  }

  opened(watch: OpenedWatch, registered: () => void): void {
    const reject = (error: Error) => {
      throw error;
    };
    this.#send({ kind: "opened", id: this.#await({ resolve: registered, reject }), watch });
  }

  closed(watchId: string): void {
    this.#send({ kind: "closed", watchId });
  }

  report(report: VersionReport): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#send({ kind: "report", id: this.#await({ resolve: () => resolve(), reject }), report });
    });
  }

  count(path: SecretPath, newest: NewestVersion): Promise<WatcherCount> {
    return new Promise((resolve, reject) => {
      const counted = (count: WatcherCount | undefined) => {
        if (count !== undefined) resolve(count);
      };
      this.#send({ kind: "count", id: this.#await({ resolve: counted, reject }), path, newest });
    });
  }

  #await(pending: Pending): number {
    const id = ++this.#lastId;
    this.#pending.set(id, pending);
    return id;
  }

  #send(request: RegistryRequest): void {
    this.#requests.push(request);
    if (this.#requests.length > 1) return;
    this.#timers.afterTurn(() => {
      const requests = this.#requests;
      this.#requests = [];
      this.#port.post(requests);
    });
  }

  #answered(answer: RegistryAnswer): void {
    const pending = this.#pending.get(answer.id);
    this.#pending.delete(answer.id);
    if (answer.kind === "failed") pending?.reject(restoreError(answer.error));
    else pending?.resolve(answer.count);
  }
}

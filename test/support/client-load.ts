import { EventEmitter, once } from "node:events";
import { ClientError } from "../../src/client/client-error.ts";
import type { CofferClient } from "../../src/client/coffer-client.ts";

/** Workers that call a server continuously: a Put, then three Gets, and so on. Each worker has its own secret. */
export class ClientLoad {
  /** The errors of the failed calls. */
  readonly errors: { readonly method: "get" | "put"; readonly error: ClientError }[] = [];
  /** For each worker, the numbers of the versions that its Puts added. */
  readonly versions: readonly number[][];
  readonly #client: CofferClient;
  readonly #progress = new EventEmitter();
  readonly #lanes: Promise<void>[];
  #answered = 0;
  #isStopped = false;

  constructor(client: CofferClient, lanes: number) {
    this.#client = client;
    this.versions = Array.from({ length: lanes }, () => []);
    this.#lanes = this.versions.map((versions, lane) => this.#run(`shop/api/lane-${lane}`, versions));
  }

  /** How many calls were answered. */
  get answered(): number {
    return this.#answered;
  }

  /** Resolves when another `count` calls were answered. */
  async pass(count: number): Promise<void> {
    const wanted = this.#answered + count;
    while (this.#answered < wanted) await once(this.#progress, "answer");
  }

  /** Begins no more calls. Resolves when the calls in flight are over. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#lanes);
  }

  async #run(path: string, versions: number[]): Promise<void> {
    for (let turn = 0; !this.#isStopped; turn++) {
      await this.#call(turn % 4 === 0 ? "put" : "get", path, versions);
    }
  }

  async #call(method: "get" | "put", path: string, versions: number[]): Promise<void> {
    try {
      if (method === "put") versions.push((await this.#client.put(path, { user: "app" })).version);
      else await this.#client.get(path);
      this.#answered += 1;
      this.#progress.emit("answer");
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
      this.errors.push({ method, error });
      // Without a connection, grpc-js fails a call in the same turn of the event loop. Without this wait, the worker
      // would call again immediately and block the event loop.
      await new Promise(setImmediate);
    }
  }
}

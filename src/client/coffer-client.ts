import process from "node:process";
import type { DeleteResponse, DescribeResponse, ListEntry, ListResponse, PutResponse } from "../contract/messages.ts";
import { Content, type ContentEntry } from "../domain/content.ts";
import { ClientError, callAborted, clientClosed } from "./client-error.ts";
import { ClientIdentity } from "./client-identity.ts";
import {
  type CallOptions,
  type ClientOptions,
  type DeleteOptions,
  type GetOptions,
  type InternalOptions,
  type PutOptions,
  type Settings,
  checkSignal,
  checkTimeout,
  readSettings,
} from "./client-options.ts";
import { chooseIdentity } from "./identity-option.ts";
import {
  type Method,
  SERVING_STATUS,
  type ServingStatus,
  deleteMethod,
  describeMethod,
  getMethod,
  healthMethod,
  listMethod,
  putMethod,
} from "./methods.ts";
import { Pauses } from "./pauses.ts";
import { mayRepeat, pauseMs } from "./repetition.ts";
import { ServerChannels } from "./server-channels.ts";
import { type Values, contentOf, textOf, versionOf } from "./values.ts";

/** The content of one version. */
export interface Secret {
  /** The path of the secret. */
  readonly path: string;
  /** The number of the version. */
  readonly version: number;
  /** The revision of the store at which the version was created. It grows with every change of any secret. */
  readonly revision: number;
  /** When the version was created, in milliseconds since the epoch. */
  readonly createTime: number | undefined;
  /** The values by key. Printing the content shows no value. */
  readonly content: Content;
}

/**
 * A client of a Coffer server. It authenticates with this workload's X.509-SVID, and calls only a server with the
 * SPIFFE ID `serverId`. It connects with the first call, keeps one connection, and makes a new one when its SVID
 * rotates or the server sends GOAWAY. Calls in flight end on the connection on which they began. Create one client for
 * each process, and close it at the end: an open client keeps the process running. Every method rejects with
 * {@link ClientError}, and the constructor throws it.
 *
 * @example
 * ```ts
 * import { CofferClient } from "coffer/client";
 *
 * const coffer = new CofferClient({ address: "127.0.0.1:8553", serverId: "spiffe://example.org/coffer" });
 * await coffer.put("shop/api/db", { user: "app", password: "s3cret" });
 * const { content } = await coffer.get("shop/api/db");
 * console.log(content.text("user"));
 * await coffer.close();
 * ```
 */
export class CofferClient {
  readonly #settings: Settings;
  readonly #identity: ClientIdentity;
  readonly #channels: ServerChannels;
  readonly #pauses: Pauses;
  readonly #calls = new Set<Promise<unknown>>();
  #closed: Promise<void> | undefined;

  /** Creates a client. Throws {@link ClientError} if an option can't be used, or if no identity is configured. */
  constructor(options: ClientOptions);
  /** @internal */
  constructor(options: InternalOptions);
  constructor(options: InternalOptions) {
    this.#settings = readSettings(options);
    const { addresses, serverId, timers } = this.#settings;
    const choice = chooseIdentity(options.identity, serverId, options.environment ?? process.env);
    this.#pauses = new Pauses(timers);
    this.#identity = new ClientIdentity(choice, timers, () => this.#renew());
    this.#channels = new ServerChannels({ addresses, serverId, identity: this.#identity, clock: timers.clock });
  }

  /**
   * Adds a version with these values, which replace all values of the previous version. Resolves when the version is on
   * the server's disk. If it is unknown whether a Put was applied, the error has `applied: "unknown"`.
   *
   * @example
   * ```ts
   * const { version } = await coffer.put("shop/api/db", { user: "app", password: "s3cret" });
   * // Only if this is still the latest version:
   * await coffer.put("shop/api/db", { user: "app", password: "n3w" }, { expectedVersion: version });
   * ```
   */
  async put(path: string | Uint8Array, values: Values, options: PutOptions = {}): Promise<PutResponse> {
    const expectedVersion = versionOf("expectedVersion", options.expectedVersion);
    const entries = contentOf(values).entries();
    const data = entries.filter((entry) => entry.kind === "text");
    const binaryData = entries.filter((entry) => entry.kind === "binary");
    return this.#call(putMethod, { path: textOf("path", path), data, binaryData, expectedVersion }, options);
  }

  /**
   * Reads a version, the newest by default.
   *
   * @example
   * ```ts
   * const { version, content } = await coffer.get("shop/api/db");
   * console.log(version, content.text("user"));
   * // Shows its size: "[content: 2 keys, ...]".
   * console.log(String(content));
   * // Overwrites the bytes.
   * content.dispose();
   * ```
   */
  async get(path: string | Uint8Array, options: GetOptions = {}): Promise<Secret> {
    const request = { path: textOf("path", path), version: versionOf("version", options.version ?? 0) };
    const { data, binaryData, ...rest } = await this.#call(getMethod, request, options);
    const text = data.map((entry): ContentEntry => ({ ...entry, kind: "text" }));
    const binary = binaryData.map((entry): ContentEntry => ({ ...entry, kind: "binary" }));
    return { ...rest, content: Content.unchecked([...text, ...binary]) };
  }

  /**
   * Deletes versions, the newest by default. The answer lists those that this call changed.
   *
   * @example
   * ```ts
   * const { versions } = await coffer.delete("shop/api/db", { versions: [1] });
   * console.log(versions);
   * ```
   */
  async delete(path: string | Uint8Array, options: DeleteOptions = {}): Promise<DeleteResponse> {
    const versions = (options.versions ?? []).map((version) => versionOf("a version", version));
    const expectedVersion = versionOf("expectedVersion", options.expectedVersion);
    return this.#call(deleteMethod, { path: textOf("path", path), versions, expectedVersion }, options);
  }

  /**
   * Lists every secret whose path begins with `prefix` and that the caller may list, in the order of paths. Fetches
   * pages when they are needed.
   *
   * @example
   * ```ts
   * for await (const { path, latestVersion } of coffer.list("shop/")) console.log(path, latestVersion);
   * ```
   */
  async *list(prefix: string | Uint8Array = "", options: CallOptions = {}): AsyncGenerator<ListEntry, void> {
    const text = textOf("prefix", prefix);
    let pageToken = "";
    do {
      const page: ListResponse = await this.#call(listMethod, { prefix: text, pageSize: 0, pageToken }, options);
      yield* page.entries;
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
  }

  /**
   * Returns everything about a secret except its content.
   *
   * @example
   * ```ts
   * const { latestVersion, versions } = await coffer.describe("shop/api/db");
   * console.log(latestVersion, versions.map(({ createdBy }) => createdBy));
   * ```
   */
  async describe(path: string | Uint8Array, options: CallOptions = {}): Promise<DescribeResponse> {
    return this.#call(describeMethod, { path: textOf("path", path) }, options);
  }

  /**
   * Returns whether the server, or one of its services by full name, accepts calls. Source: gRPC Health Checking
   * Protocol.
   *
   * @example
   * ```ts
   * console.log(await coffer.health());
   * ```
   */
  async health(service = "", options: CallOptions = {}): Promise<ServingStatus> {
    const { status } = await this.#call(healthMethod, { service }, options);
    return SERVING_STATUS[status] ?? "UNKNOWN";
  }

  /**
   * Resolves when there is an identity and a server has accepted it and serves calls. A workload can wait for this
   * before it reports its own readiness. Rejects with the last problem if this takes longer than `timeoutMs`.
   *
   * @example
   * ```ts
   * await coffer.waitForReady({ timeoutMs: 60_000 });
   * ```
   */
  async waitForReady(options: Pick<CallOptions, "signal" | "timeoutMs"> = {}): Promise<void> {
    const { timers, random } = this.#settings;
    const end = timers.elapsed() + (options.timeoutMs ?? this.#settings.timeoutMs);
    for (let attempts = 1; ; attempts++) {
      const timeoutMs = end - timers.elapsed();
      const status = await this.health("", { ...options, timeoutMs, waitForReady: true });
      if (status === "SERVING") return;
      const pause = pauseMs(attempts, undefined, random);
      if (timers.elapsed() + pause >= end)
        throw new ClientError("UNAVAILABLE", `the health of the server is ${status}`);
      await this.#pauses.wait(pause, options.signal);
    }
  }

  /**
   * Accepts no more calls. Calls in flight continue, but are not repeated. Resolves when they are over and the
   * connection and the identity are closed.
   *
   * @example
   * ```ts
   * await coffer.close();
   * ```
   */
  close(): Promise<void> {
    this.#closed ??= this.#end();
    return this.#closed;
  }

  /** The same as `close`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #end(): Promise<void> {
    this.#identity.close();
    this.#channels.drain();
    this.#pauses.endAll();
    await Promise.allSettled(this.#calls);
    // Calls that were about to begin may have opened the identity source and a connection again.
    this.#identity.close();
    this.#channels.drain();
  }

  /** Called for each newer identity: no call begins on a connection of the previous one. */
  #renew(): void {
    this.#channels.drain();
    this.#pauses.endAll();
  }

  async #call<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    options: CallOptions,
  ): Promise<Response> {
    const call = this.#repeat(method, request, options);
    this.#calls.add(call);
    try {
      return await call;
    } catch (error) {
      // The error was created in a callback of grpc-js, so its own stack does not contain the caller of this client.
      if (error instanceof ClientError) Error.captureStackTrace(error);
      throw error;
    } finally {
      this.#calls.delete(call);
    }
  }

  async #repeat<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    { signal, ...options }: CallOptions,
  ): Promise<Response> {
    const { timers, random, retry } = this.#settings;
    const end = timers.elapsed() + checkTimeout(options.timeoutMs ?? this.#settings.timeoutMs);
    checkSignal(signal);
    for (let attempts = 1; ; attempts++) {
      if (this.#closed !== undefined) throw clientClosed();
      if (signal?.aborted) throw callAborted(signal);
      try {
        return await this.#channels.call(method, request, { deadline: Date.now() + end - timers.elapsed(), signal });
      } catch (error) {
        const isRepeated = retry && this.#closed === undefined && error instanceof ClientError;
        if (!isRepeated || !mayRepeat(error, options.waitForReady ?? this.#settings.waitForReady)) throw error;
        const pause = pauseMs(attempts, error.retryDelayMs, random);
        if (timers.elapsed() + pause >= end) throw error;
        await this.#pauses.wait(pause, signal);
      }
    }
  }
}

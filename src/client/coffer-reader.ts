import process from "node:process";
import {
  type BatchGetOptions,
  type CallOptions,
  type GetOptions,
  type ListOptions,
  type ListPagesOptions,
  OptionNames,
} from "./call-options.ts";
import { ClientError } from "./client-error.ts";
import { ClientIdentity } from "./client-identity.ts";
import { type ClientSettings, type InternalOptions, readSettings } from "./client-options.ts";
import { type SecretDescription, readDescription } from "./description.ts";
import { chooseIdentity } from "./identity-option.ts";
import { checkOptions } from "./known-options.ts";
import { type ListingPage, type ListingPrefix, type ListingEntry, inPathOrder, readPage } from "./list-pages.ts";
import { SERVING_STATUS, type ServingStatus, healthMethod, methods } from "./methods.ts";
import { Pauses } from "./pauses.ts";
import { RepeatedCalls } from "./repeated-calls.ts";
import { pauseMs } from "./repetition.ts";
import type { Text } from "./request-fields.ts";
import * as requests from "./call-requests.ts";
import { type NotModified, type Secret, type SecretBatch, readBatch, readSecret } from "./read-secret.ts";
import { SecretWatch } from "./secret-watch.ts";
import type { SpiffeId } from "../spiffe/spiffe-id.ts";
import { ServerChannels } from "./server-channels.ts";
import { textOf } from "./values.ts";
import { type WatchOptions, readWatchOptions } from "./watch-options.ts";

/** The methods of a {@link CofferClient} that change nothing, and its connection to the server. */
export abstract class CofferReader {
  /** @internal */
  protected readonly calls: RepeatedCalls;
  readonly #settings: ClientSettings;
  readonly #identity: ClientIdentity;
  readonly #channels: ServerChannels;
  readonly #pauses: Pauses;
  readonly #watches = new Set<SecretWatch>();
  #closed: Promise<void> | undefined;

  /** @internal */
  protected constructor(options: InternalOptions) {
    this.#settings = readSettings(options);
    const { addresses, serverId, timers } = this.#settings;
    const choice = chooseIdentity(options.identity, serverId, options.environment ?? process.env);
    this.#pauses = new Pauses(timers);
    this.#identity = new ClientIdentity(choice, timers, () => this.#renew());
    this.#channels = new ServerChannels({ addresses, serverId, identity: this.#identity, clock: timers.clock });
    this.calls = new RepeatedCalls(this.#settings, this.#channels, this.#pauses);
  }

  /**
   * The SPIFFE ID of the server.
   *
   * @internal
   */
  get serverId(): SpiffeId {
    return this.#settings.serverId;
  }

  /**
   * Reads a version, the newest by default. With `ifVersionNot`, the answer has no content if the call would return
   * that version.
   *
   * @example
   * ```ts
   * const { version, content } = await coffer.get("shop/api/db", { keys: ["user", "password"] });
   * console.log(version, content.text("user"));
   * // Shows its size: "[content: 2 keys, ...]".
   * console.log(String(content));
   * // Overwrites the bytes.
   * content.dispose();
   *
   * const answer = await coffer.get("shop/api/db", { ifVersionNot: version });
   * if (answer.kind === "secret") console.log("there is a newer version:", answer.version);
   * ```
   */
  get(path: Text, options?: GetOptions & { readonly ifVersionNot?: undefined }): Promise<Secret>;
  /** Reads a version, unless it is the one that the caller has. */
  get(path: Text, options: GetOptions): Promise<Secret | NotModified>;
  async get(path: Text, options: GetOptions = {}): Promise<Secret | NotModified> {
    const request = requests.getRequestOf(path, checkOptions(options, OptionNames.get));
    return readSecret(await this.calls.read(methods.get, request, options));
  }

  /**
   * Reads the newest versions of up to 256 secrets, all as of one revision of the store. An entry has the content, or
   * the error that a Get of its path has.
   *
   * @example
   * ```ts
   * const { entries } = await coffer.batchGet(["shop/api/db", "shop/api/missing"]);
   * for (const entry of entries) {
   *   if (entry.kind === "secret") console.log(entry.path, entry.content.keys());
   *   else console.log(entry.path, entry.error.reason);
   * }
   * ```
   */
  async batchGet(paths: readonly Text[], options: BatchGetOptions = {}): Promise<SecretBatch> {
    const request = requests.batchGetRequestOf(paths, checkOptions(options, OptionNames.batchGet));
    return readBatch(await this.calls.read(methods.batchGet, request, options));
  }

  /**
   * Lists every secret whose path begins with `prefix` and that the caller may list, in the order of paths. Fetches
   * pages when they are needed. With `delimiter`, also yields prefixes, like folders.
   *
   * @example
   * ```ts
   * for await (const { path, latestVersion } of coffer.list("shop/")) console.log(path, latestVersion);
   * for await (const item of coffer.list("shop/", { delimiter: "/" })) {
   *   console.log(item.kind === "prefix" ? item.prefix : item.path);
   * }
   * ```
   */
  list(prefix?: Text, options?: ListOptions & { readonly delimiter?: undefined }): AsyncGenerator<ListingEntry, void>;
  /** Lists one level of the tree: its secrets, and the prefixes of deeper ones. */
  list(prefix: Text, options: ListOptions): AsyncGenerator<ListingEntry | ListingPrefix, void>;
  async *list(prefix: Text = "", options: ListOptions = {}): AsyncGenerator<ListingEntry | ListingPrefix, void> {
    checkOptions(options, OptionNames.list);
    for await (const page of this.listPages(prefix, options)) yield* inPathOrder(page);
  }

  /**
   * Lists as {@link list} does, one page at a time. The `nextPageToken` of a page continues the listing in another process.
   *
   * @example
   * ```ts
   * for await (const { entries, storeRevision } of coffer.listPages("shop/", { pageSize: 20 })) {
   *   console.log(entries.length, storeRevision);
   * }
   * ```
   */
  async *listPages(prefix: Text = "", options: ListPagesOptions = {}): AsyncGenerator<ListingPage, void> {
    let request = requests.listRequestOf(prefix, checkOptions(options, OptionNames.listPages));
    do {
      const page = readPage(await this.calls.read(methods.list, request, options));
      request = { ...request, pageToken: page.nextPageToken };
      yield page;
    } while (request.pageToken !== "");
  }

  /**
   * Returns everything about a secret except its content: its versions and its settings.
   *
   * @example
   * ```ts
   * const { latestVersion, versions, labels } = await coffer.describe("shop/api/db");
   * console.log(latestVersion, versions.map(({ createdBy }) => createdBy), labels);
   * ```
   */
  async describe(path: Text, options: CallOptions = {}): Promise<SecretDescription> {
    const request = { path: textOf("path", path) };
    return readDescription(await this.calls.read(methods.describe, request, checkOptions(options, OptionNames.call)));
  }

  /**
   * Delivers the newest state of secrets, and then each change after its commit. The watch continues after failures by
   * itself; breaking out of the loop ends it. A consumer that is slow gets the newest state of each secret, and not each
   * state between. Throws {@link ClientError} if an option can't be used.
   *
   * @example
   * ```ts
   * for await (const event of coffer.watch({ paths: ["shop/api/db"], prefixes: ["shop/shared/"] })) {
   *   if (event.kind === "secret") console.log(event.path, event.version, event.state, event.content?.keys());
   *   if (event.kind === "gone") console.log(event.path, event.reason);
   *   if (event.kind === "synced") break;
   * }
   * ```
   */
  watch(options: WatchOptions): SecretWatch {
    const { timers, random, watchSilenceMs: silenceMs } = this.#settings;
    const watch = new SecretWatch(readWatchOptions(options), {
      open: (request) => this.#channels.stream(methods.watch, request),
      report: (request, signal) => this.calls.read(methods.report, request, { signal }),
      onOver: () => this.#watches.delete(watch),
      pauses: this.#pauses,
      timers,
      random,
      silenceMs,
    });
    this.#watches.add(watch);
    if (this.#closed !== undefined) void watch.close();
    return watch;
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
    const { status } = await this.calls.read(healthMethod, { service }, checkOptions(options, OptionNames.call));
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
    const watches = [...this.#watches].map((watch) => watch.close());
    this.#channels.drain();
    await Promise.all([this.calls.close(), ...watches]);
    // Calls that were about to begin may have opened the identity source and a connection again.
    this.#identity.close();
    this.#channels.drain();
  }

  /** Called for each newer identity: no call begins on a connection of the previous one. */
  #renew(): void {
    this.#channels.drain();
    this.#pauses.endAll();
  }
}

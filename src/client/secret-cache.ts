import { type CacheChange, CacheChanges } from "./cache-changes.ts";
import { CacheEntries } from "./cache-entries.ts";
import { CacheFile } from "./cache-file.ts";
import type { CacheFileError } from "./cache-file-error.ts";
import { readCacheKey } from "./cache-key.ts";
import {
  type CacheFileOption,
  type InternalCacheOptions,
  type SecretCacheOptions,
  readCacheOptions,
} from "./cache-options.ts";
import { CacheSaver } from "./cache-saver.ts";
import type { CachedSecret } from "./cached-secret.ts";
import { ClientError, cacheClosed, invalidOption } from "./client-error.ts";
import type { CofferReader } from "./coffer-reader.ts";
import { ClockTimer } from "./clock-timer.ts";
import type { Text } from "./request-fields.ts";
import type { SecretEvent, SecretSeen } from "./secret-events.ts";
import type { SecretWatch } from "./secret-watch.ts";
import { textOf } from "./values.ts";
import { readWatchOptions } from "./watch-options.ts";
import type { ReportedState } from "./watch-reports.ts";
import { Moment } from "../domain/moment.ts";
import type { Timers } from "../domain/timers.ts";

/**
 * The newest versions of secrets, in memory. A watch keeps them up to date. While no server answers, the cache serves what
 * it has, except versions whose expire_time has passed, and says how old it is.
 *
 * @example
 * ```ts
 * import { SecretCache } from "coffer/client";
 *
 * const cache = new SecretCache(coffer, { paths: ["shop/api/db"], prefixes: ["shop/shared/"] });
 * await cache.ready;
 * const secret = cache.get("shop/api/db");
 * console.log(secret.version, secret.content.text("user"), `confirmed ${cache.ageMs} ms ago`);
 * // Once the program uses this version, and no older one.
 * secret.inUse();
 * await cache.close();
 * ```
 */
export class SecretCache {
  /**
   * Resolves when the cache has secrets: after the first snapshot of the server, or after its sealed file was loaded, see
   * {@link source}. Rejects with {@link ClientError} if the watch fails for a reason that waiting does not solve.
   */
  readonly ready: Promise<void>;
  readonly #timers: Pick<Timers, "clock" | "elapsed" | "delay">;
  readonly #scope: { readonly paths: readonly string[]; readonly prefixes: readonly string[] };
  readonly #watch: SecretWatch;
  readonly #entries: CacheEntries;
  /** When the server last confirmed what the cache has; undefined: never. */
  #confirmed: Moment | undefined;
  readonly #expiry: ClockTimer;
  readonly #saver: CacheSaver | undefined;
  readonly #feeds = new Set<CacheChanges>();
  readonly #followed: Promise<void>;
  #source: "none" | "file" | "server" = "none";
  #problem: ClientError | undefined;
  /** Set when no more changes follow; with the error, if the watch has failed for good. */
  #over: { readonly error: Error | undefined } | undefined;
  #isClosed = false;
  #settleReady = (_error?: Error) => {};

  /**
   * Creates a cache and begins to fill it. The client has to stay open until the cache is closed. Throws
   * {@link ClientError} if an option or the key can't be used.
   */
  constructor(client: CofferReader, options: SecretCacheOptions);
  /** @internal */
  constructor(client: Pick<CofferReader, "watch" | "serverId">, options: InternalCacheOptions);
  constructor(client: Pick<CofferReader, "watch" | "serverId">, options: InternalCacheOptions) {
    const { watch, file, timers } = readCacheOptions(options);
    const { paths, prefixes } = readWatchOptions(watch).scope;
    this.#timers = timers;
    this.#scope = { paths, prefixes };
    const observer = {
      onChange: (change: CacheChange) => this.#announce(change),
      onUse: (path: string, version: number) => this.#report(path, version, "in-use"),
    };
    this.#entries = new CacheEntries(observer, timers.clock);
    this.#expiry = new ClockTimer(timers, (now) => this.#entries.expire(now));
    this.#saver = file && this.#saverOf(file, String(client.serverId));
    this.ready = new Promise((resolve, reject) => {
      this.#settleReady = (error) => (error === undefined ? resolve() : reject(error));
    });
    // Without a handler, a rejection would end a program that does not wait for `ready`.
    this.ready.catch(() => {});
    this.#watch = client.watch(watch);
    const loaded = this.#load();
    this.#followed = this.#follow().then(async () => {
      await loaded;
      await this.#saver?.close();
    });
  }

  /** Where the secrets come from: nowhere yet, the sealed file, or a server, which may be unavailable meanwhile. */
  get source(): "none" | "file" | "server" {
    return this.#source;
  }

  /**
   * The milliseconds since a server last confirmed the secrets; Infinity if none has. At most about 15 seconds while there
   * is a connection.
   */
  get ageMs(): number {
    return this.#confirmed?.ageMs ?? Number.POSITIVE_INFINITY;
  }

  /** Why there is no connection; undefined while there is one. */
  get problem(): ClientError | undefined {
    return this.#problem;
  }

  /** Why the sealed file could not be loaded, or why its last write failed; undefined if it works. */
  get fileProblem(): CacheFileError | undefined {
    return this.#saver?.problem;
  }

  /** The paths of the secrets that {@link get} returns now. */
  paths(): readonly string[] {
    return this.#entries.live().map(({ path }) => path);
  }

  /**
   * The newest version of a secret. Never waits. Throws {@link ClientError} with the reason that a Get has if there is no
   * secret at the path, or if its newest version is deleted, destroyed or expired; with the code UNAVAILABLE if the cache
   * is not ready and the secret has not arrived.
   */
  get(path: Text): CachedSecret {
    const text = textOf("path", path);
    if (this.#isClosed) throw cacheClosed();
    const { paths, prefixes } = this.#scope;
    if (!paths.includes(text) && !prefixes.some((prefix) => text.startsWith(prefix)))
      throw invalidOption(`${text} is not one of the paths of this cache, and begins with none of its prefixes`);
    if (this.#source === "none" && !this.#entries.has(text))
      throw new ClientError(
        "UNAVAILABLE",
        "the cache has no secrets yet; wait for ready",
        {},
        { cause: this.#problem },
      );
    return this.#entries.get(text);
  }

  /**
   * The changes from now on, with the arrival of each secret. A consumer that is slow gets the last change of each path.
   *
   * @example
   * ```ts
   * import { SecretCache } from "coffer/client";
   *
   * const cache = new SecretCache(coffer, { paths: ["shop/api/db"] });
   * const following = (async () => {
   *   for await (const change of cache.changes()) console.log(change.kind, change.path);
   * })();
   * await cache.ready;
   * // Ends the loop.
   * await cache.close();
   * await following;
   * ```
   */
  changes(): CacheChanges {
    const feed = new CacheChanges(() => this.#feeds.delete(feed));
    if (this.#over === undefined) this.#feeds.add(feed);
    else feed.end(this.#over.error);
    return feed;
  }

  /** Ends the watch, writes the sealed file if there is something to write, and overwrites the contents. */
  async close(): Promise<void> {
    if (!this.#isClosed) {
      this.#isClosed = true;
      this.#end(undefined);
      await this.#watch.return();
    }
    await this.#followed;
    this.#entries.clear();
  }

  /** The same as `close`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #saverOf({ path, key }: CacheFileOption, serverId: string): CacheSaver {
    const file = new CacheFile(path, readCacheKey(key), { serverId, ...this.#scope });
    return new CacheSaver(file, this.#timers, () => ({
      secrets: this.#entries.live(),
      confirmedTime: this.#confirmed?.time ?? 0,
    }));
  }

  async #load(): Promise<void> {
    const loaded = await this.#saver?.load();
    if (loaded === undefined) return;
    if (this.#isClosed || this.#source !== "none") {
      for (const { content } of loaded.secrets) content?.dispose();
      return;
    }
    this.#source = "file";
    this.#confirmed = new Moment(this.#timers, loaded.confirmedTime);
    for (const seen of loaded.secrets) {
      this.#entries.load(seen);
      this.#expireAt(seen);
    }
    this.#settleReady();
  }

  async #follow(): Promise<void> {
    try {
      for await (const event of this.#watch) this.#take(event);
    } catch (error) {
      if (error instanceof ClientError) this.#problem = error;
      this.#end(error as Error);
    }
  }

  #take(event: SecretEvent): void {
    switch (event.kind) {
      case "secret":
        this.#see(event);
        break;
      case "gone":
        this.#entries.remove(event.path, event.reason);
        break;
      case "synced":
        this.#synced();
        break;
      case "heartbeat":
        this.#confirm();
        break;
      case "disconnected":
        this.#problem = event.error;
    }
  }

  #synced(): void {
    this.#problem = undefined;
    this.#entries.sweep();
    this.#confirm();
    if (this.#source !== "server") this.#saver?.changed();
    this.#source = "server";
    this.#settleReady();
  }

  #see(seen: SecretSeen): void {
    this.#entries.see(seen);
    this.#expireAt(seen);
    const { path, version, state, content } = seen;
    // A deleted version is reported as received too: the workload no longer gets an older one.
    if (version > 0 && (state !== "live" || content !== undefined)) this.#report(path, version, "received");
  }

  #expireAt({ content, expireTime }: SecretSeen): void {
    if (content !== undefined && expireTime !== undefined) this.#expiry.add(expireTime);
  }

  #confirm(): void {
    this.#confirmed = new Moment(this.#timers);
    this.#saver?.confirmed();
  }

  #announce(change: CacheChange): void {
    // The first snapshot is saved when it is complete.
    if (this.#source === "server") this.#saver?.changed();
    for (const feed of this.#feeds) feed.add(change);
  }

  /** Ignores errors: a server that refuses a report, or that has no reports, does not concern the program. */
  #report(path: string, version: number, state: ReportedState): void {
    this.#watch.report(path, version, state).catch(() => {});
  }

  /** The watch has ended. What the cache has can still be read until it is closed. */
  #end(error: Error | undefined): void {
    this.#over = { error };
    this.#expiry.stop();
    this.#settleReady(error ?? cacheClosed());
    for (const feed of this.#feeds) feed.end(error);
    this.#feeds.clear();
  }
}

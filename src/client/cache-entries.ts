import {
  type CofferError,
  contentUnreadable,
  secretNotFound,
  versionDeleted,
  versionDestroyed,
  versionExpired,
} from "../domain/errors.ts";
import type { CacheChange } from "./cache-changes.ts";
import { CachedSecret } from "./cached-secret.ts";
import { ClientError } from "./client-error.ts";
import type { SecretGone, SecretSeen, WatchedState } from "./secret-events.ts";

/** The newest state of a secret; `secret` is undefined if its content can't be read. */
interface Entry {
  readonly seen: Omit<SecretSeen, "content">;
  readonly secret: CachedSecret | undefined;
  /** Whether it comes from the sealed file, and the server has not sent it yet. */
  readonly isFromFile: boolean;
}

/** What the entries report to their cache. */
export interface CacheObserver {
  readonly onChange: (change: CacheChange) => void;
  /** The program uses a version. */
  readonly onUse: (path: string, version: number) => void;
}

/** The secrets of a cache, by path. */
export class CacheEntries {
  readonly #observer: CacheObserver;
  readonly #entries = new Map<string, Entry>();
  /** The secrets that the program has got. */
  readonly #taken = new WeakSet<CachedSecret>();

  constructor(observer: CacheObserver) {
    this.#observer = observer;
  }

  /** The secrets that can be read at `now`. */
  live(now: number): readonly CachedSecret[] {
    return [...this.#entries.values()].flatMap(({ secret }) => (secret && !hasExpired(secret, now) ? [secret] : []));
  }

  /** Whether the state of a secret has arrived. */
  has(path: string): boolean {
    return this.#entries.has(path);
  }

  /** The secret at a path. Throws {@link ClientError} with the reason that a Get has. */
  get(path: string, now: number): CachedSecret {
    const entry = this.#entries.get(path);
    if (entry === undefined) throw notReadable(secretNotFound(path));
    const { seen, secret } = entry;
    if (secret === undefined) throw notReadable(problemOf(seen));
    if (hasExpired(secret, now)) throw notReadable(versionExpired(path, secret.version, secret.expireTime ?? now));
    this.#taken.add(secret);
    return secret;
  }

  /** Adds a secret of the sealed file, unless the server has sent the path already. */
  load(seen: SecretSeen): void {
    if (this.#entries.has(seen.path)) seen.content?.dispose();
    else {
      this.#set(seen, true);
      this.#observer.onChange({ kind: "changed", path: seen.path, version: seen.version });
    }
  }

  /** Adopts the newest state of a secret. */
  see(seen: SecretSeen): void {
    const before = this.#entries.get(seen.path)?.secret;
    if (before !== undefined && isSameVersion(before, seen)) {
      // The program may have the content, so it stays the same object.
      seen.content?.dispose();
      this.#entries.set(seen.path, { seen, secret: before, isFromFile: false });
      return;
    }
    this.#set(seen, false);
    const { path, version, state } = seen;
    if (this.#entries.get(path)?.secret !== undefined) this.#observer.onChange({ kind: "changed", path, version });
    else if (before !== undefined) this.#observer.onChange({ kind: "removed", path, reason: state });
  }

  /** Removes a secret. */
  remove(path: string, reason: SecretGone["reason"]): void {
    const secret = this.#entries.get(path)?.secret;
    this.#entries.delete(path);
    if (secret === undefined) return;
    this.#drop(secret);
    this.#observer.onChange({ kind: "removed", path, reason });
  }

  /** Removes what comes from the sealed file and is not in the server's snapshot. */
  sweep(): void {
    for (const [path, { isFromFile }] of this.#entries) if (isFromFile) this.remove(path, "vanished");
  }

  /** Removes the contents of versions that have expired. Returns when the next one expires. */
  expire(now: number): number {
    let next = Number.POSITIVE_INFINITY;
    for (const [path, { seen, secret, isFromFile }] of this.#entries) {
      if (secret?.expireTime === undefined) continue;
      if (!hasExpired(secret, now)) next = Math.min(next, secret.expireTime);
      else {
        this.#entries.set(path, { seen: { ...seen, state: "expired" }, secret: undefined, isFromFile });
        this.#drop(secret);
        this.#observer.onChange({ kind: "removed", path, reason: "expired" });
      }
    }
    return next;
  }

  /** Overwrites all contents, and forgets them. */
  clear(): void {
    for (const { secret } of this.#entries.values()) secret?.content.dispose();
    this.#entries.clear();
  }

  #set({ content, ...seen }: SecretSeen, isFromFile: boolean): void {
    const { path } = seen;
    const before = this.#entries.get(path)?.secret;
    if (before !== undefined) this.#drop(before);
    const secret = content && new CachedSecret({ ...seen, content }, () => this.#use(seen));
    this.#entries.set(path, { seen, secret, isFromFile });
  }

  /** Does not report a version whose number now names another one: the store was replaced by an older copy. */
  #use({ path, version, createTime }: Entry["seen"]): void {
    const newest = this.#entries.get(path)?.seen;
    if (newest?.version !== version || newest.createTime === createTime) this.#observer.onUse(path, version);
  }

  /** Overwrites a content, unless the program may use it. */
  #drop(secret: CachedSecret): void {
    if (!this.#taken.has(secret)) secret.content.dispose();
  }
}

function hasExpired({ expireTime }: CachedSecret, now: number): boolean {
  return expireTime !== undefined && expireTime <= now;
}

/** The content of a version never changes. The time distinguishes versions of a store that was restored. */
function isSameVersion(secret: CachedSecret, { version, createTime, expireTime, content }: SecretSeen): boolean {
  const isSame = secret.version === version && secret.createTime === createTime && secret.expireTime === expireTime;
  return isSame && content !== undefined;
}

function problemOf({ path, version, state, expireTime }: Entry["seen"]): CofferError {
  const problems: Readonly<Record<WatchedState, () => CofferError>> = {
    live: () => contentUnreadable(path, version, undefined),
    deleted: () => versionDeleted(path, version),
    destroyed: () => versionDestroyed(path, version),
    expired: () => versionExpired(path, version, expireTime ?? 0),
    none: () => secretNotFound(path),
  };
  return problems[state]();
}

function notReadable({ reason, message, metadata }: CofferError): ClientError {
  const code = reason === "CONTENT_UNREADABLE" ? "DATA_LOSS" : "NOT_FOUND";
  return new ClientError(code, message, { reason, metadata });
}

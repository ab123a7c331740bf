import {
  type CofferError,
  contentUnreadable,
  secretNotFound,
  versionDeleted,
  versionDestroyed,
  versionExpired,
} from "../domain/errors.ts";
import type { Content } from "../domain/content.ts";
import type { Clock } from "../domain/timers.ts";
import type { CacheChange } from "./cache-changes.ts";
import { CachedSecret } from "./cached-secret.ts";
import { ClientError } from "./client-error.ts";
import { type LiveSecret, NewestStates } from "./newest-states.ts";
import type { SecretGone, SecretSeen, WatchedState } from "./secret-events.ts";

/** What the entries report to their cache. */
export interface CacheObserver {
  readonly onChange: (change: CacheChange) => void;
  /** The program uses a version. */
  readonly onUse: (path: string, version: number) => void;
}

/**
 * The secrets of a cache: the newest states, as objects that the program may keep, with the changes that the program
 * follows, and those of the sealed file that the server has not confirmed.
 */
export class CacheEntries {
  readonly #observer: CacheObserver;
  readonly #states: NewestStates;
  /** The secrets that the program has got. Their contents are not overwritten while the program may use them. */
  readonly #taken = new WeakMap<Content, CachedSecret>();
  /** The paths that come from the sealed file, and that the server has not sent yet. */
  readonly #fromFile = new Set<string>();

  constructor(observer: CacheObserver, clock: Clock) {
    this.#observer = observer;
    this.#states = new NewestStates(clock, (content) => {
      if (!this.#taken.has(content)) content.dispose();
    });
  }

  /** The secrets that can be read now. */
  live(): readonly LiveSecret[] {
    return this.#states.live();
  }

  /** Whether the state of a secret has arrived. */
  has(path: string): boolean {
    return this.#states.has(path);
  }

  /** The secret at a path. Throws {@link ClientError} with the reason that a Get has. */
  get(path: string): CachedSecret {
    const seen = this.#states.of(path);
    if (seen === undefined) throw notReadable(secretNotFound(path));
    const { content } = seen;
    if (content === undefined) throw notReadable(problemOf(seen));
    const secret = this.#taken.get(content) ?? new CachedSecret({ ...seen, content }, () => this.#use(seen));
    this.#taken.set(content, secret);
    return secret;
  }

  /** Adds a secret of the sealed file, unless the server has sent the path already. */
  load(seen: SecretSeen): void {
    if (this.has(seen.path)) seen.content?.dispose();
    else {
      this.#fromFile.add(seen.path);
      this.#see(seen);
    }
  }

  /** Adopts the newest state of a secret. */
  see(seen: SecretSeen): void {
    this.#fromFile.delete(seen.path);
    this.#see(seen);
  }

  /** Removes a secret. */
  remove(path: string, reason: SecretGone["reason"]): void {
    this.#fromFile.delete(path);
    if (this.#states.remove(path)) this.#observer.onChange({ kind: "removed", path, reason });
  }

  /** Removes what comes from the sealed file and is not in the server's snapshot. */
  sweep(): void {
    for (const path of this.#fromFile) this.remove(path, "vanished");
  }

  /** Removes the contents of versions that have expired. Returns when the next one expires. */
  expire(now: number): number {
    const { expired, next } = this.#states.expire(now);
    for (const path of expired) this.#observer.onChange({ kind: "removed", path, reason: "expired" });
    return next;
  }

  /** Overwrites all contents, and forgets them. */
  clear(): void {
    this.#states.clear();
  }

  #see(seen: SecretSeen): void {
    const { before, after } = this.#states.see(seen);
    const { path, version, state } = seen;
    if (after === before) return;
    if (after !== undefined) this.#observer.onChange({ kind: "changed", path, version });
    else this.#observer.onChange({ kind: "removed", path, reason: state });
  }

  #use(seen: SecretSeen): void {
    const { path, version } = seen;
    if (!this.#states.isRenumbered(path, seen)) this.#observer.onUse(path, version);
  }
}

function problemOf({ path, version, state, expireTime }: SecretSeen): CofferError {
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

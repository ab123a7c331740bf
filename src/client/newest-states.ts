import type { Content } from "../domain/content.ts";
import type { Clock } from "../domain/timers.ts";
import type { SecretSeen } from "./secret-events.ts";

/** The state of a secret whose newest version can be read. */
export type LiveSecret = SecretSeen & { readonly content: Content };

/** The contents of a secret before and after an event; the same object if it is that of the same version. */
export interface Replacement {
  readonly before: Content | undefined;
  readonly after: Content | undefined;
}

/**
 * The newest states of secrets, with their values, from the events of a watch. A version is expired from its expire_time
 * on, also while no server answers. {@link WatchView} decides which events there are: it knows what was delivered, across
 * streams and snapshots, and has no values.
 */
export class NewestStates {
  readonly #states = new Map<string, SecretSeen>();
  readonly #clock: Clock;
  readonly #release: (content: Content) => void;

  /** `release` gets each content that is no longer that of a newest version, to overwrite it. */
  constructor(clock: Clock, release: (content: Content) => void) {
    this.#clock = clock;
    this.#release = release;
  }

  /** Whether a state has arrived, and the secret is not gone since then. */
  has(path: string): boolean {
    return this.#states.has(path);
  }

  /** The state of a secret now; undefined if none has arrived, or if it is gone. */
  of(path: string): SecretSeen | undefined {
    const state = this.#states.get(path);
    return state === undefined || expiryOf(state) > this.#clock() ? state : expired(state);
  }

  /** The secrets that can be read now. */
  live(): readonly LiveSecret[] {
    const now = this.#clock();
    return [...this.#states.values()].filter(isLive).filter((state) => expiryOf(state) > now);
  }

  /** Whether the number of a version now names another one: the store was replaced by an older copy. */
  isRenumbered(path: string, { version, createTime }: Pick<SecretSeen, "version" | "createTime">): boolean {
    const newest = this.#states.get(path);
    return newest?.version === version && newest.createTime !== createTime;
  }

  /** Adopts a state. The content of the same version stays the same object, because the program may use it. */
  see(seen: SecretSeen): Replacement {
    const before = this.#states.get(seen.path);
    const content = before?.content;
    if (before !== undefined && content !== undefined && isSameVersion(before, seen)) {
      seen.content?.dispose();
      this.#states.set(seen.path, { ...seen, content });
      return { before: content, after: content };
    }
    this.#states.set(seen.path, seen);
    if (content !== undefined) this.#release(content);
    return { before: content, after: seen.content };
  }

  /** Forgets a secret. Returns whether its newest version had a content. */
  remove(path: string): boolean {
    const content = this.#states.get(path)?.content;
    this.#states.delete(path);
    if (content !== undefined) this.#release(content);
    return content !== undefined;
  }

  /** Releases the contents of versions that have expired. Returns their paths, and when the next version expires. */
  expire(now: number): { readonly expired: readonly string[]; readonly next: number } {
    const due: SecretSeen[] = [];
    let next = Number.POSITIVE_INFINITY;
    for (const state of this.#states.values()) {
      const time = expiryOf(state);
      if (time <= now) due.push(state);
      else next = Math.min(next, time);
    }
    for (const state of due) this.see(expired(state));
    return { expired: due.map(({ path }) => path), next };
  }

  /** Overwrites all contents, and forgets them. */
  clear(): void {
    for (const { content } of this.#states.values()) content?.dispose();
    this.#states.clear();
  }
}

function isLive(state: SecretSeen): state is LiveSecret {
  return state.content !== undefined;
}

/** In milliseconds since the epoch; Infinity if there is no content that expires. */
function expiryOf({ content, expireTime }: SecretSeen): number {
  return content === undefined ? Number.POSITIVE_INFINITY : (expireTime ?? Number.POSITIVE_INFINITY);
}

function expired(state: SecretSeen): SecretSeen {
  return { ...state, state: "expired", content: undefined };
}

/** The content of a version never changes. The time distinguishes versions of a store that was restored. */
function isSameVersion(before: SecretSeen, { version, createTime, expireTime, content }: SecretSeen): boolean {
  const isSame = before.version === version && before.createTime === createTime && before.expireTime === expireTime;
  return isSame && content !== undefined;
}

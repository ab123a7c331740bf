import type { SecretEvent, SecretSeen } from "../client/secret-events.ts";
import type { Content } from "../domain/content.ts";
import type { Clock } from "../domain/timers.ts";

/** A version, also after the store was replaced by an older copy of itself: its number then names another version. */
export type VersionId = Pick<SecretSeen, "version" | "createTime">;

/** The newest known state of a secret. */
export type SecretState =
  | (VersionId & {
      readonly kind: "live";
      /** The revision of the store at which the secret was last changed. */
      readonly revision: number;
      readonly content: Content;
      /** In milliseconds since the epoch; undefined if the version does not expire. */
      readonly expireTime: number | undefined;
    })
  /** There is no content, and there was an event that says so, or a complete snapshot without the secret. */
  | { readonly kind: "gone"; readonly why: string }
  /** Nothing is known yet, or the server can't read the content. */
  | { readonly kind: "unknown"; readonly why: string };

/** The newest states of the watched secrets, from the events of a watch. Replaced values are overwritten. */
export class SecretStates {
  readonly #states = new Map<string, SecretState>();
  /** The newest version of each secret, whatever its state. */
  readonly #newest = new Map<string, VersionId>();
  readonly #clock: Clock;
  #isSynced = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Takes an event. Returns the path of the secret that has changed, if it concerns one. */
  take(event: SecretEvent): string | undefined {
    switch (event.kind) {
      case "secret":
        this.#newest.set(event.path, { version: event.version, createTime: event.createTime });
        return this.#set(event.path, stateOf(event));
      case "gone":
        return this.#set(event.path, { kind: "gone", why: event.reason });
      case "synced":
        this.#isSynced = true;
        return undefined;
      default:
        return undefined;
    }
  }

  /** The state of a secret now: a version is expired from its expire_time on, also while no server answers. */
  of(path: string): SecretState {
    const state = this.#states.get(path);
    if (state === undefined) return this.#isSynced ? { kind: "gone", why: "not readable or missing" } : UNKNOWN;
    return expiryOf(state) <= this.#clock() ? EXPIRED : state;
  }

  /** The number of a version; undefined if it now names another version. */
  numberOf(path: string, { version, createTime }: VersionId): number | undefined {
    const newest = this.#newest.get(path);
    return newest?.version === version && newest.createTime !== createTime ? undefined : version;
  }

  /** Overwrites the values of versions that have expired. Returns their paths, and when the next version expires. */
  expire(now: number): { readonly expired: readonly string[]; readonly next: number } {
    const expired = [...this.#states].filter(([, state]) => expiryOf(state) <= now).map(([path]) => path);
    for (const path of expired) this.#set(path, EXPIRED);
    return { expired, next: Math.min(...[...this.#states.values()].map(expiryOf)) };
  }

  #set(path: string, state: SecretState): string {
    const before = this.#states.get(path);
    if (before?.kind === "live") before.content.dispose();
    this.#states.set(path, state);
    return path;
  }
}

const EXPIRED: SecretState = { kind: "gone", why: "expired" };

/** In milliseconds since the epoch; Infinity if there is nothing that expires. */
function expiryOf(state: SecretState): number {
  return (state.kind === "live" && state.expireTime) || Number.POSITIVE_INFINITY;
}

/** Why nothing is known about a secret at first. */
export const NOT_RECEIVED = "not received yet";

const UNKNOWN: SecretState = { kind: "unknown", why: NOT_RECEIVED };

function stateOf({ state, version, createTime, revision, content, expireTime }: SecretSeen): SecretState {
  if (state === "none") return { kind: "gone", why: "has no version" };
  if (state !== "live") return { kind: "gone", why: state };
  if (content === undefined) return { kind: "unknown", why: "the server can't read its content" };
  return { kind: "live", version, createTime, revision, content, expireTime };
}

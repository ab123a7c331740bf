import { NewestStates } from "../client/newest-states.ts";
import type { SecretEvent, SecretGone, SecretSeen } from "../client/secret-events.ts";
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

/** The newest states of the watched secrets, as a target needs them: with the reason for which there is no content. */
export class SecretStates {
  readonly #newest: NewestStates;
  /** Why a secret is gone, by path. */
  readonly #gone = new Map<string, SecretGone["reason"]>();
  #isSynced = false;

  constructor(clock: Clock) {
    this.#newest = new NewestStates(clock, (content) => content.dispose());
  }

  /** Takes an event. Returns the path of the secret that has changed, if it concerns one. */
  take(event: SecretEvent): string | undefined {
    switch (event.kind) {
      case "secret":
        this.#gone.delete(event.path);
        this.#newest.see(event);
        return event.path;
      case "gone":
        this.#gone.set(event.path, event.reason);
        this.#newest.remove(event.path);
        return event.path;
      case "synced":
        this.#isSynced = true;
        return undefined;
      default:
        return undefined;
    }
  }

  /** The state of a secret now: a version is expired from its expire_time on, also while no server answers. */
  of(path: string): SecretState {
    const newest = this.#newest.of(path);
    if (newest !== undefined) return stateOf(newest);
    const reason = this.#gone.get(path);
    if (reason !== undefined) return { kind: "gone", why: reason };
    return this.#isSynced ? { kind: "gone", why: "not readable or missing" } : UNKNOWN;
  }

  /** The number of a version; undefined if it now names another version. */
  numberOf(path: string, id: VersionId): number | undefined {
    return this.#newest.isRenumbered(path, id) ? undefined : id.version;
  }

  /** Overwrites the values of versions that have expired. Returns their paths, and when the next version expires. */
  expire(now: number): { readonly expired: readonly string[]; readonly next: number } {
    return this.#newest.expire(now);
  }
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

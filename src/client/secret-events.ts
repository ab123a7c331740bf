import { VersionState, type WatchedSecret } from "../contract/messages.ts";
import { Content, type ContentEntry } from "../domain/content.ts";
import type { ClientError } from "./client-error.ts";

/** The state of the newest version of a watched secret. */
export type WatchedState =
  /** Its content can be read. */
  | "live"
  /** Its content is kept, and can be undeleted. */
  | "deleted"
  /** Its content was removed. */
  | "destroyed"
  /** Its expire_time has passed. */
  | "expired"
  /** There is no version yet, or its state is one that a newer release added. */
  | "none";

/** The newest state of a secret. */
export interface SecretSeen {
  /** Always "secret". */
  readonly kind: "secret";
  /** The path of the secret. */
  readonly path: string;
  /** The number of the newest version; 0 if there is none. */
  readonly version: number;
  /** The state of the newest version. */
  readonly state: WatchedState;
  /** The revision of the store at which the secret was last changed. */
  readonly revision: number;
  /** When the newest version was created, in milliseconds since the epoch; undefined if there is none. */
  readonly createTime: number | undefined;
  /** When the newest version expires, in milliseconds since the epoch; undefined if it does not. */
  readonly expireTime: number | undefined;
  /**
   * The values of the newest version. Undefined if the version is not live, if the watch has `withValues: false`, or if
   * the server can't read the content (a `get` then fails with CONTENT_UNREADABLE).
   */
  readonly content: Content | undefined;
}

/** A secret that the watch has shown before is gone. */
export interface SecretGone {
  /** Always "gone". */
  readonly kind: "gone";
  /** The path of the secret. */
  readonly path: string;
  /**
   * "purged": the secret was purged. "revoked": this workload may no longer watch it. "vanished": one of the two, while
   * the watch was not connected.
   */
  readonly reason: "purged" | "revoked" | "vanished";
}

/** Everything up to a revision was delivered, after a connection was made. */
export interface WatchIsSynced {
  /** Always "synced". */
  readonly kind: "synced";
  /** The revision of the store. */
  readonly revision: number;
  /** The number of requested paths and prefixes of which this workload may watch at least one path now. */
  readonly readable: number;
  /** The number of requested paths and prefixes, each counted once. */
  readonly requested: number;
}

/** Everything up to a revision was delivered. One arrives at least every 15 seconds while there is a connection. */
export interface WatchIsAlive {
  /** Always "heartbeat". */
  readonly kind: "heartbeat";
  /** The revision of the store. */
  readonly revision: number;
}

/** The connection failed. The watch continues by itself. */
export interface WatchIsDisconnected {
  /** Always "disconnected". */
  readonly kind: "disconnected";
  /** Why the connection failed. */
  readonly error: ClientError;
  /** After how many milliseconds the watch connects again. */
  readonly retryInMs: number;
}

/** What a watch delivers. */
export type SecretEvent = SecretSeen | SecretGone | WatchIsSynced | WatchIsAlive | WatchIsDisconnected;

const STATES: Readonly<Record<number, WatchedState>> = {
  [VersionState.live]: "live",
  [VersionState.deleted]: "deleted",
  [VersionState.destroyed]: "destroyed",
  [VersionState.expired]: "expired",
};

/** The event for a secret that was not purged. */
export function secretSeen(secret: WatchedSecret, revision: number): SecretSeen {
  const { path, version, createTime, expireTime } = secret;
  const state = STATES[secret.state] ?? "none";
  const content = state === "live" ? contentOf(secret) : undefined;
  return { kind: "secret", path, version, state, revision, createTime, expireTime, content };
}

function contentOf({ data, binaryData }: WatchedSecret): Content | undefined {
  // A version has at least one key, so an event without one has no content.
  if (data.length + binaryData.length === 0) return undefined;
  const text = data.map((entry): ContentEntry => ({ ...entry, kind: "text" }));
  const binary = binaryData.map((entry): ContentEntry => ({ ...entry, kind: "binary" }));
  return Content.unchecked([...text, ...binary]);
}

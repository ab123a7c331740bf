import { MAX_REQUEST_FIELDS, MAX_WATCHED } from "./limits.ts";
import { type MapEntry, map } from "./map-field.ts";
import { bool, enumeration, message, string, uint32, uint64 } from "./message.ts";
import { type Case, oneof } from "./oneof.ts";
import { repeatedString } from "./repeated-fields.ts";
import { timestamp } from "./time-fields.ts";

/** Names what to watch. */
export interface WatchRequest {
  readonly paths: readonly string[];
  readonly prefixes: readonly string[];
  /** 0 begins with a snapshot. */
  readonly fromRevision: number;
  readonly withValues: boolean;
  /** The policy of the last SYNCED or heartbeat; empty if unknown. */
  readonly policy: string;
  /** The timeline of `seenRevision`; empty if unknown. */
  readonly timeline: string;
  /** The highest revision of all events since the last RESYNC or snapshot; 0 stands for `fromRevision`. */
  readonly seenRevision: number;
}

/** WatchRequest on the wire. */
export const watchRequest = message<WatchRequest>(
  {
    paths: repeatedString(1, "paths", MAX_WATCHED),
    prefixes: repeatedString(2, "prefixes", MAX_WATCHED),
    fromRevision: uint64(3, "from_revision"),
    withValues: bool(4, "with_values"),
    policy: string(5, "policy"),
    timeline: string(6, "timeline"),
    seenRevision: uint64(7, "seen_revision"),
  },
  MAX_REQUEST_FIELDS,
);

/** The newest state of a secret. */
export interface WatchedSecret {
  /** The path of the secret. */
  readonly path: string;
  /** The number of the newest version; 0 if there is none. For a purged secret, that of its last version. */
  readonly version: number;
  /**
   * The state of the newest version: a number of VersionState, or one that a newer release added. Unspecified if there is
   * none, or if the secret was purged.
   */
  readonly state: number;
  /** Whether the secret was purged. */
  readonly purged: boolean;
  /** When the newest version was created, in milliseconds since the epoch; undefined if there is none. */
  readonly createTime: number | undefined;
  /** When the newest version expires, in milliseconds since the epoch; undefined if it does not. */
  readonly expireTime: number | undefined;
  readonly data: readonly MapEntry[];
  readonly binaryData: readonly MapEntry[];
}

/** WatchedSecret on the wire. */
export const watchedSecret = message<WatchedSecret>({
  path: string(1, "path"),
  version: uint32(2, "version"),
  state: enumeration(3, "state"),
  purged: bool(4, "purged"),
  createTime: timestamp(5, "create_time"),
  expireTime: timestamp(6, "expire_time"),
  data: map(7, "data", "text"),
  binaryData: map(8, "binary_data", "binary"),
});

/** Everything up to the revision was sent. */
export interface WatchSynced {
  /** The number of requested paths and prefixes of which the caller may watch at least one path. */
  readonly readable: number;
  /** The number of requested paths and prefixes. */
  readonly requested: number;
  /** The identity of the stream, for Report. */
  readonly watchId: string;
  /** For a later WatchRequest. */
  readonly policy: string;
}

/** Synced on the wire. */
export const watchSynced = message<WatchSynced>({
  readable: uint32(1, "readable"),
  requested: uint32(2, "requested"),
  watchId: string(3, "watch_id"),
  policy: string(4, "policy"),
});

/** Arrives at least every 15 seconds. */
export interface WatchHeartbeat {
  /** For a later WatchRequest. */
  readonly policy: string;
}

/** Heartbeat on the wire. */
export const watchHeartbeat = message<WatchHeartbeat>({ policy: string(1, "policy") });

/** Begins a new snapshot. */
export type WatchResync = Record<never, never>;

/** Resync on the wire. */
export const watchResync = message<WatchResync>({});

/** Names a secret that the caller may no longer watch. */
export interface WatchRevoked {
  /** The path of the secret. */
  readonly path: string;
}

/** Revoked on the wire. */
export const watchRevoked = message<WatchRevoked>({ path: string(1, "path") });

/** What a {@link WatchResponse} reports. */
export type WatchReport =
  | Case<"secret", WatchedSecret>
  | Case<"synced", WatchSynced>
  | Case<"heartbeat", WatchHeartbeat>
  | Case<"resync", WatchResync>
  | Case<"revoked", WatchRevoked>;

/** One event. */
export interface WatchResponse {
  /**
   * In SYNCED, heartbeats and REVOKED, the revision up to which everything was sent; in a secret, that of its last change;
   * 0 in RESYNC.
   */
  readonly revision: number;
  /** Undefined if a newer server sends an event of another kind. */
  readonly event: WatchReport | undefined;
  /** The timeline of the revision; empty in RESYNC. */
  readonly timeline: string;
}

/** WatchResponse on the wire. */
export const watchResponse = message<WatchResponse>({
  revision: uint64(1, "revision"),
  event: oneof<WatchReport>({
    secret: [2, watchedSecret],
    synced: [3, watchSynced],
    heartbeat: [4, watchHeartbeat],
    resync: [5, watchResync],
    revoked: [6, watchRevoked],
  }),
  timeline: string(7, "timeline"),
});

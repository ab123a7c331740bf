import { MAX_REQUEST_FIELDS } from "./limits.ts";
import { type StringEntry, stringMap } from "./map-field.ts";
import { bool, enumeration, message, string, uint32, uint64 } from "./message.ts";
import { nested } from "./nested.ts";
import { repeated } from "./repeated-fields.ts";
import { type Convergence, convergence } from "./report-messages.ts";
import { duration, timestamp } from "./time-fields.ts";

/** Names the secret to describe. */
export interface DescribeRequest {
  readonly path: string;
}

/** DescribeRequest on the wire. */
export const describeRequest = message<DescribeRequest>({ path: string(1, "path") }, MAX_REQUEST_FIELDS);

/** The numbers of the enum VersionState. */
export const VersionState = {
  /** Never sent for a version. */
  unspecified: 0,
  /** Its content can be read. */
  live: 1,
  /** Marked as deleted; the content is kept and can't be read. */
  deleted: 2,
  /** Its content was removed permanently. */
  destroyed: 3,
  /** Its time to live is over. Its content can't be read, and is removed. */
  expired: 4,
} as const;

/** One version without its content. `state` is a value of {@link VersionState}, or one that a newer release added. */
export interface VersionDescription {
  /** The number of the version. */
  readonly version: number;
  /** Its state: a number of {@link VersionState}, or one that a newer release added. */
  readonly state: number;
  /** When it was created, in milliseconds since the epoch. */
  readonly createTime: number | undefined;
  /** The SPIFFE ID of the caller that created it. */
  readonly createdBy: string;
  /** When it was deleted, in milliseconds since the epoch; undefined if it is not deleted. */
  readonly deleteTime: number | undefined;
  /** The SPIFFE ID of the caller that deleted it; empty if it is not deleted. */
  readonly deletedBy: string;
  /** The revision of the store at which it was created. */
  readonly revision: number;
  /** When it expires or expired, in milliseconds since the epoch; undefined if it does not expire. */
  readonly expireTime: number | undefined;
  /** When its content was removed permanently, in milliseconds since the epoch; undefined if it was not. */
  readonly destroyTime: number | undefined;
  /** The SPIFFE ID of the caller that destroyed it; empty if its content was removed because it expired. */
  readonly destroyedBy: string;
}

/** VersionDescription on the wire. */
export const versionDescription = message<VersionDescription>({
  version: uint32(1, "version"),
  state: enumeration(2, "state"),
  createTime: timestamp(3, "create_time"),
  createdBy: string(4, "created_by"),
  deleteTime: timestamp(5, "delete_time"),
  deletedBy: string(6, "deleted_by"),
  revision: uint64(7, "revision"),
  expireTime: timestamp(8, "expire_time"),
  destroyTime: timestamp(9, "destroy_time"),
  destroyedBy: string(10, "destroyed_by"),
});

/** A secret without its content: the retained versions, ascending, and its settings. */
export interface DescribeResponse {
  /** The path of the secret. */
  readonly path: string;
  /** The retained versions, ascending. */
  readonly versions: readonly VersionDescription[];
  /** The number of the newest version, in any state; 0 if there is none yet. */
  readonly latestVersion: number;
  /** How many versions are retained at most, in any state. */
  readonly maxVersions: number;
  /** Its labels, ascending by key. */
  readonly labels: readonly StringEntry[];
  /** A description for humans. */
  readonly description: string;
  /**
   * The time to live of versions that are written without an expiry, in milliseconds; undefined if such versions do not
   * expire.
   */
  readonly defaultTtl: number | undefined;
  /** Whether every Put, Patch, Restore and Copy to this secret needs expected_version. */
  readonly casRequired: boolean;
  /** The revision of the store at which this answer was made. */
  readonly storeRevision: number;
  /** Which versions the watchers of the secret use; undefined if the server is older. */
  readonly convergence: Convergence | undefined;
}

/** DescribeResponse on the wire. */
export const describeResponse = message<DescribeResponse>({
  path: string(1, "path"),
  versions: repeated(2, "versions", versionDescription),
  latestVersion: uint32(3, "latest_version"),
  maxVersions: uint32(4, "max_versions"),
  labels: stringMap(5, "labels"),
  description: string(6, "description"),
  defaultTtl: duration(7, "default_ttl"),
  casRequired: bool(8, "cas_required"),
  storeRevision: uint64(9, "store_revision"),
  convergence: nested(10, "convergence", convergence),
});

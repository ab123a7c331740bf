import { MAX_DELETE_VERSIONS, MAX_KEYS } from "./limits.ts";
import { type MapEntry, map } from "./map-field.ts";
import {
  enumeration,
  int32,
  message,
  optionalUint32,
  repeated,
  repeatedUint32,
  string,
  timestamp,
  uint32,
  uint64,
} from "./message.ts";

/**
 * The messages of coffer.proto. The comments of the proto explain each field. Times are milliseconds since the epoch.
 */

// The maximum number of fields of a request on the wire, unknown and repeated ones included. A request of 4 MB can have
// two million fields, and each takes the only thread half a microsecond.
const MOST_FIELDS = 16_384;

/** Puts one new version. `expectedVersion` is undefined if absent; 0 means that no version was ever written. */
export interface PutRequest {
  readonly path: string;
  readonly data: readonly MapEntry[];
  readonly binaryData: readonly MapEntry[];
  readonly expectedVersion: number | undefined;
}

/** PutRequest on the wire. It does not check keys and sizes; Content.parse does. */
export const putRequest = message<PutRequest>(
  {
    path: string(1, "path"),
    data: map(2, "data", "text", MAX_KEYS),
    binaryData: map(3, "binary_data", "binary", MAX_KEYS),
    expectedVersion: optionalUint32(4, "expected_version"),
  },
  MOST_FIELDS,
);

/** The version that a Put created, and the revision of its commit. */
export interface PutResponse {
  /** The path of the secret. */
  readonly path: string;
  /** The number of the version that was added. */
  readonly version: number;
  /** The revision of the store that this change created. */
  readonly revision: number;
  /** When the version was created, in milliseconds since the epoch. */
  readonly createTime: number | undefined;
}

/** PutResponse on the wire. */
export const putResponse = message<PutResponse>({
  path: string(1, "path"),
  version: uint32(2, "version"),
  revision: uint64(3, "revision"),
  createTime: timestamp(4, "create_time"),
});

/** Names a secret and one version of it. Version 0, which is also the value of an absent field, means the newest. */
export interface GetRequest {
  readonly path: string;
  readonly version: number;
}

/** GetRequest on the wire. */
export const getRequest = message<GetRequest>(
  {
    path: string(1, "path"),
    version: uint32(2, "version"),
  },
  MOST_FIELDS,
);

/** One version with its content, divided into text and bytes as in the Put. */
export interface GetResponse {
  readonly path: string;
  readonly version: number;
  readonly data: readonly MapEntry[];
  readonly binaryData: readonly MapEntry[];
  readonly createTime: number | undefined;
  readonly revision: number;
}

/** GetResponse on the wire. */
export const getResponse = message<GetResponse>({
  path: string(1, "path"),
  version: uint32(2, "version"),
  data: map(3, "data", "text"),
  binaryData: map(4, "binary_data", "binary"),
  createTime: timestamp(5, "create_time"),
  revision: uint64(6, "revision"),
});

/** Names the versions to delete, in any order and possibly repeated. An empty list means the newest version. */
export interface DeleteRequest {
  readonly path: string;
  readonly versions: readonly number[];
  readonly expectedVersion: number | undefined;
}

/** DeleteRequest on the wire. */
export const deleteRequest = message<DeleteRequest>(
  {
    path: string(1, "path"),
    versions: repeatedUint32(2, "versions", MAX_DELETE_VERSIONS),
    expectedVersion: optionalUint32(3, "expected_version"),
  },
  MOST_FIELDS,
);

/** The versions that a Delete marked, ascending. If there are none, `revision` is that of the secret's last change. */
export interface DeleteResponse {
  /** The path of the secret. */
  readonly path: string;
  /** The versions that this call marked as deleted, ascending. Empty if all of them had been deleted before. */
  readonly versions: readonly number[];
  /** The revision of the store that this change created; that of the secret's last change if nothing was changed. */
  readonly revision: number;
}

/** DeleteResponse on the wire. */
export const deleteResponse = message<DeleteResponse>({
  path: string(1, "path"),
  versions: repeatedUint32(2, "versions"),
  revision: uint64(3, "revision"),
});

/** Requests one page. `pageSize` can be 0, too large or negative; the service handles these values. */
export interface ListRequest {
  readonly prefix: string;
  readonly pageSize: number;
  readonly pageToken: string;
}

/** ListRequest on the wire. */
export const listRequest = message<ListRequest>(
  {
    prefix: string(1, "prefix"),
    pageSize: int32(2, "page_size"),
    pageToken: string(3, "page_token"),
  },
  MOST_FIELDS,
);

/**
 * One secret of a page. `updateTime` is the time of the last Put or Delete. A caller that may list the secret but not
 * describe it gets version 0 and time undefined.
 */
export interface ListEntry {
  /** The path of the secret. */
  readonly path: string;
  /** The number of its newest version; 0 when the caller may not describe the secret. */
  readonly latestVersion: number;
  /** When it was last changed, in milliseconds since the epoch; undefined when the caller may not describe it. */
  readonly updateTime: number | undefined;
}

/** ListEntry on the wire. */
export const listEntry = message<ListEntry>({
  path: string(1, "path"),
  latestVersion: uint32(2, "latest_version"),
  updateTime: timestamp(3, "update_time"),
});

/** One page in path order. The token of the last page is empty. */
export interface ListResponse {
  readonly entries: readonly ListEntry[];
  readonly nextPageToken: string;
}

/** ListResponse on the wire. */
export const listResponse = message<ListResponse>({
  entries: repeated(1, "entries", listEntry),
  nextPageToken: string(2, "next_page_token"),
});

/** Names the secret to describe. */
export interface DescribeRequest {
  readonly path: string;
}

/** DescribeRequest on the wire. */
export const describeRequest = message<DescribeRequest>({ path: string(1, "path") }, MOST_FIELDS);

/** The numbers of the enum VersionState. */
export const VersionState = {
  /** Never sent. */
  unspecified: 0,
  /** Its content can be read. */
  live: 1,
  /** Marked as deleted; the content is kept and can't be read. */
  deleted: 2,
  /** Its content was removed permanently. Not sent by this release. */
  destroyed: 3,
  /** Its time to live is over. Not sent by this release. */
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
});

/** A secret without its content: the retained versions, ascending, and the maximum number of retained versions. */
export interface DescribeResponse {
  /** The path of the secret. */
  readonly path: string;
  /** The retained versions, ascending. */
  readonly versions: readonly VersionDescription[];
  /** The number of the newest version, in any state. */
  readonly latestVersion: number;
  /** How many versions are retained at most, in any state. */
  readonly maxVersions: number;
}

/** DescribeResponse on the wire. */
export const describeResponse = message<DescribeResponse>({
  path: string(1, "path"),
  versions: repeated(2, "versions", versionDescription),
  latestVersion: uint32(3, "latest_version"),
  maxVersions: uint32(4, "max_versions"),
});

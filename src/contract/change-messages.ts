import { MAX_KEYS, MAX_LABELS, MAX_REQUEST_FIELDS } from "./limits.ts";
import { type MapEntry, type StringEntry, map, stringMap } from "./map-field.ts";
import { message, optionalBool, optionalString, optionalUint32, string, uint32, uint64 } from "./message.ts";
import { repeatedString } from "./repeated-fields.ts";
import { duration, timestamp } from "./time-fields.ts";

/** What every request that changes one secret has. */
export interface SecretChangeRequest {
  readonly path: string;
  /** Undefined if absent; 0 means that no version is retained and that no tombstone is in force. */
  readonly expectedVersion: number | undefined;
  /** A UUID, or empty. */
  readonly requestId: string;
}

/** A version that was added: the answer of Put, Patch, Restore and Copy. */
export interface AddedVersion {
  /** The path of the secret. */
  readonly path: string;
  /** The number of the version that was added. */
  readonly version: number;
  /** The revision of the store that this change created. */
  readonly revision: number;
  /** When the version was created, in milliseconds since the epoch. */
  readonly createTime: number | undefined;
  /** When it expires, in milliseconds since the epoch; undefined if it does not. */
  readonly expireTime: number | undefined;
  /** The revision of the store at which this answer was made. */
  readonly storeRevision: number;
}

const addedVersion = message<AddedVersion>({
  path: string(1, "path"),
  version: uint32(2, "version"),
  revision: uint64(3, "revision"),
  createTime: timestamp(4, "create_time"),
  expireTime: timestamp(5, "expire_time"),
  storeRevision: uint64(6, "store_revision"),
});

/** Puts one new version. */
export interface PutRequest extends SecretChangeRequest {
  readonly data: readonly MapEntry[];
  readonly binaryData: readonly MapEntry[];
  readonly expireTime: number | undefined;
  /** Milliseconds. */
  readonly ttl: number | undefined;
}

/** PutRequest on the wire. It does not check keys and sizes; Content.parse does. */
export const putRequest = message<PutRequest>(
  {
    path: string(1, "path"),
    data: map(2, "data", "text", MAX_KEYS),
    binaryData: map(3, "binary_data", "binary", MAX_KEYS),
    expectedVersion: optionalUint32(4, "expected_version"),
    expireTime: timestamp(5, "expire_time"),
    ttl: duration(6, "ttl"),
    requestId: string(7, "request_id"),
  },
  MAX_REQUEST_FIELDS,
);

/** The version that a Put added. */
export type PutResponse = AddedVersion;

/** PutResponse on the wire. */
export const putResponse = addedVersion;

/** Adds a version with the content of the newest one, some keys of which are set or removed. */
export interface PatchRequest extends SecretChangeRequest {
  readonly data: readonly MapEntry[];
  readonly binaryData: readonly MapEntry[];
  readonly remove: readonly string[];
}

/** PatchRequest on the wire. */
export const patchRequest = message<PatchRequest>(
  {
    path: string(1, "path"),
    data: map(2, "data", "text", MAX_KEYS),
    binaryData: map(3, "binary_data", "binary", MAX_KEYS),
    remove: repeatedString(4, "remove", MAX_KEYS),
    expectedVersion: optionalUint32(5, "expected_version"),
    requestId: string(6, "request_id"),
  },
  MAX_REQUEST_FIELDS,
);

/** The version that a Patch added. */
export type PatchResponse = AddedVersion;

/** PatchResponse on the wire. */
export const patchResponse = addedVersion;

/** Adds a version with the content of an older one. */
export interface RestoreRequest extends SecretChangeRequest {
  readonly version: number;
}

/** RestoreRequest on the wire. */
export const restoreRequest = message<RestoreRequest>(
  {
    path: string(1, "path"),
    version: uint32(2, "version"),
    expectedVersion: optionalUint32(3, "expected_version"),
    requestId: string(4, "request_id"),
  },
  MAX_REQUEST_FIELDS,
);

/** The version that a Restore added. */
export type RestoreResponse = AddedVersion;

/** RestoreResponse on the wire. */
export const restoreResponse = addedVersion;

/** Adds a version to `target` with the content of a version of `source`; 0 means its newest one. */
export interface CopyRequest extends Omit<SecretChangeRequest, "path"> {
  readonly source: string;
  readonly version: number;
  readonly target: string;
}

/** CopyRequest on the wire. */
export const copyRequest = message<CopyRequest>(
  {
    source: string(1, "source"),
    version: uint32(2, "version"),
    target: string(3, "target"),
    expectedVersion: optionalUint32(4, "expected_version"),
    requestId: string(5, "request_id"),
  },
  MAX_REQUEST_FIELDS,
);

/** The version that a Copy added. */
export type CopyResponse = AddedVersion;

/** CopyResponse on the wire. */
export const copyResponse = addedVersion;

/** Removes a secret. */
export type PurgeRequest = SecretChangeRequest;

/** PurgeRequest on the wire. */
export const purgeRequest = message<PurgeRequest>(
  {
    path: string(1, "path"),
    expectedVersion: optionalUint32(2, "expected_version"),
    requestId: string(3, "request_id"),
  },
  MAX_REQUEST_FIELDS,
);

/** The secret that a Purge removed. */
export interface PurgeResponse {
  /** The path of the secret. */
  readonly path: string;
  /** The number of its last version; 0 if it had none. */
  readonly lastVersion: number;
  /** The revision of the store that this change created. */
  readonly revision: number;
  /** The revision of the store at which this answer was made. */
  readonly storeRevision: number;
}

/** PurgeResponse on the wire. */
export const purgeResponse = message<PurgeResponse>({
  path: string(1, "path"),
  lastVersion: uint32(2, "last_version"),
  revision: uint64(3, "revision"),
  storeRevision: uint64(4, "store_revision"),
});

/** Changes settings. Undefined leaves a setting as it is. */
export interface MetadataRequest extends SecretChangeRequest {
  readonly maxVersions: number | undefined;
  /** Labels to set. */
  readonly labels: readonly StringEntry[];
  readonly removeLabels: readonly string[];
  readonly description: string | undefined;
  /** Milliseconds. */
  readonly defaultTtl: number | undefined;
  readonly casRequired: boolean | undefined;
}

/** MetadataRequest on the wire. */
export const metadataRequest = message<MetadataRequest>(
  {
    path: string(1, "path"),
    maxVersions: optionalUint32(2, "max_versions"),
    labels: stringMap(3, "labels", MAX_LABELS),
    removeLabels: repeatedString(4, "remove_labels", MAX_LABELS),
    description: optionalString(5, "description"),
    defaultTtl: duration(6, "default_ttl"),
    casRequired: optionalBool(7, "cas_required"),
    expectedVersion: optionalUint32(8, "expected_version"),
    requestId: string(9, "request_id"),
  },
  MAX_REQUEST_FIELDS,
);

/** The change of settings that was committed. */
export interface MetadataResponse {
  /** The path of the secret. */
  readonly path: string;
  /** The revision of the store that this change created; that of the secret's last change if nothing was changed. */
  readonly revision: number;
  /** The revision of the store at which this answer was made. */
  readonly storeRevision: number;
}

/** MetadataResponse on the wire. */
export const metadataResponse = message<MetadataResponse>({
  path: string(1, "path"),
  revision: uint64(2, "revision"),
  storeRevision: uint64(3, "store_revision"),
});

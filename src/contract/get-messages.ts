import { MAX_BATCH_PATHS, MAX_KEYS, MAX_REQUEST_FIELDS } from "./limits.ts";
import { type MapEntry, type StringEntry, map, stringMap } from "./map-field.ts";
import { bool, int32, message, string, uint32, uint64 } from "./message.ts";
import { type Case, oneof } from "./oneof.ts";
import { repeated, repeatedString } from "./repeated-fields.ts";
import { timestamp } from "./time-fields.ts";

/** Names a secret and one version of it. Version 0, which is also the value of an absent field, means the newest. */
export interface GetRequest {
  readonly path: string;
  readonly version: number;
  /** The keys to return. Empty means all. */
  readonly keys: readonly string[];
  /** 0 has no effect. */
  readonly ifVersionNot: number;
  readonly minRevision: number;
}

/** GetRequest on the wire. */
export const getRequest = message<GetRequest>(
  {
    path: string(1, "path"),
    version: uint32(2, "version"),
    keys: repeatedString(3, "keys", MAX_KEYS),
    ifVersionNot: uint32(4, "if_version_not"),
    minRevision: uint64(5, "min_revision"),
  },
  MAX_REQUEST_FIELDS,
);

/** One version with its content, divided into text and bytes as in the Put. */
export interface GetResponse {
  readonly path: string;
  readonly version: number;
  readonly data: readonly MapEntry[];
  readonly binaryData: readonly MapEntry[];
  readonly createTime: number | undefined;
  readonly revision: number;
  /** Undefined if the version does not expire. */
  readonly expireTime: number | undefined;
  /** Whether the version is the one in `ifVersionNot`. If so, there is no content. */
  readonly notModified: boolean;
  readonly storeRevision: number;
}

/** GetResponse on the wire. */
export const getResponse = message<GetResponse>({
  path: string(1, "path"),
  version: uint32(2, "version"),
  data: map(3, "data", "text"),
  binaryData: map(4, "binary_data", "binary"),
  createTime: timestamp(5, "create_time"),
  revision: uint64(6, "revision"),
  expireTime: timestamp(7, "expire_time"),
  notModified: bool(8, "not_modified"),
  storeRevision: uint64(9, "store_revision"),
});

/** Names the secrets to read as of one revision. */
export interface BatchGetRequest {
  readonly paths: readonly string[];
  readonly minRevision: number;
}

/** BatchGetRequest on the wire. */
export const batchGetRequest = message<BatchGetRequest>(
  { paths: repeatedString(1, "paths", MAX_BATCH_PATHS), minRevision: uint64(2, "min_revision") },
  MAX_REQUEST_FIELDS,
);

/** The error that a Get of a path would have. */
export interface BatchGetError {
  /** The number of the gRPC code. */
  readonly code: number;
  /** For humans. */
  readonly message: string;
  /** The reason of google.rpc.ErrorInfo. */
  readonly reason: string;
  /** The metadata of google.rpc.ErrorInfo. */
  readonly metadata: readonly StringEntry[];
}

/** BatchGetError on the wire. */
export const batchGetError = message<BatchGetError>({
  code: int32(1, "code"),
  message: string(2, "message"),
  reason: string(3, "reason"),
  metadata: stringMap(4, "metadata"),
});

/** What a Get of a path would answer. */
export type BatchGetResult = Case<"secret", GetResponse> | Case<"error", BatchGetError>;

/** The content of one secret, or the error of its Get. */
export interface BatchGetEntry {
  readonly path: string;
  /** Undefined if a newer server sends a result of another kind. */
  readonly result: BatchGetResult | undefined;
}

/** BatchGetEntry on the wire. */
export const batchGetEntry = message<BatchGetEntry>({
  path: string(1, "path"),
  result: oneof<BatchGetResult>({ secret: [2, getResponse], error: [3, batchGetError] }),
});

/** An entry for each path, in the order of the request. */
export interface BatchGetResponse {
  readonly entries: readonly BatchGetEntry[];
  /** The revision of the store at which all entries were read. */
  readonly storeRevision: number;
}

/** BatchGetResponse on the wire. */
export const batchGetResponse = message<BatchGetResponse>({
  entries: repeated(1, "entries", batchGetEntry),
  storeRevision: uint64(2, "store_revision"),
});

import {
  type CopyRequest,
  type MetadataRequest,
  type PatchRequest,
  type PurgeRequest,
  type PutRequest,
  type RestoreRequest,
  copyRequest,
  metadataRequest,
  patchRequest,
  purgeRequest,
  putRequest,
  restoreRequest,
} from "./change-messages.ts";
import { MAX_GUARDS, MAX_OPERATIONS, MAX_REQUEST_FIELDS } from "./limits.ts";
import { message, string, uint32, uint64 } from "./message.ts";
import { type Case, oneof } from "./oneof.ts";
import { repeated, repeatedUint32 } from "./repeated-fields.ts";
import { timestamp } from "./time-fields.ts";
import {
  type DeleteRequest,
  type DestroyRequest,
  type UndeleteRequest,
  deleteRequest,
  destroyRequest,
  undeleteRequest,
} from "./version-messages.ts";

/** One change of a Commit. The kind is the name of its field in the proto. */
export type OperationChange =
  | Case<"put", PutRequest>
  | Case<"patch", PatchRequest>
  | Case<"delete", DeleteRequest>
  | Case<"undelete", UndeleteRequest>
  | Case<"destroy", DestroyRequest>
  | Case<"restore", RestoreRequest>
  | Case<"copy", CopyRequest>
  | Case<"purge", PurgeRequest>
  | Case<"metadata", MetadataRequest>;

/** One change of a Commit; undefined if it has none that this release knows. */
export interface CommitOperation {
  readonly change: OperationChange | undefined;
}

/** Operation on the wire. */
export const commitOperation = message<CommitOperation>({
  change: oneof<OperationChange>({
    put: [1, putRequest],
    patch: [2, patchRequest],
    delete: [3, deleteRequest],
    undelete: [4, undeleteRequest],
    destroy: [5, destroyRequest],
    restore: [6, restoreRequest],
    copy: [7, copyRequest],
    purge: [8, purgeRequest],
    metadata: [9, metadataRequest],
  }),
});

/** A condition on a secret that a Commit does not change. */
export interface CommitGuard {
  readonly path: string;
  readonly expectedVersion: number;
}

/** Guard on the wire. */
export const commitGuard = message<CommitGuard>({
  path: string(1, "path"),
  expectedVersion: uint32(2, "expected_version"),
});

/** A group of changes. */
export interface CommitRequest {
  readonly operations: readonly CommitOperation[];
  readonly guards: readonly CommitGuard[];
  /** A UUID, or empty. */
  readonly requestId: string;
}

/** CommitRequest on the wire. */
export const commitRequest = message<CommitRequest>(
  {
    operations: repeated(1, "operations", commitOperation, MAX_OPERATIONS),
    guards: repeated(2, "guards", commitGuard, MAX_GUARDS),
    requestId: string(3, "request_id"),
  },
  MAX_REQUEST_FIELDS,
);

/** What one operation did. */
export interface CommitResult {
  /** The path of the secret that was changed. */
  readonly path: string;
  /** The versions that were added, deleted, undeleted or destroyed, ascending; for a purge, the last version. */
  readonly versions: readonly number[];
  /** When the version that was added expires, in milliseconds since the epoch; undefined if it does not. */
  readonly expireTime: number | undefined;
}

/** OperationResult on the wire. */
export const commitResult = message<CommitResult>({
  path: string(1, "path"),
  versions: repeatedUint32(2, "versions"),
  expireTime: timestamp(3, "expire_time"),
});

/** The results, in the order of the operations. */
export interface CommitResponse {
  readonly results: readonly CommitResult[];
  /** The revision of the store that this change created. */
  readonly revision: number;
  /** When the changes were made, in milliseconds since the epoch. */
  readonly commitTime: number | undefined;
  /** The revision of the store at which this answer was made. */
  readonly storeRevision: number;
}

/** CommitResponse on the wire. */
export const commitResponse = message<CommitResponse>({
  results: repeated(1, "results", commitResult),
  revision: uint64(2, "revision"),
  commitTime: timestamp(3, "commit_time"),
  storeRevision: uint64(4, "store_revision"),
});

import { MAX_NAMED_VERSIONS, MAX_REQUEST_FIELDS } from "./limits.ts";
import { bool, message, optionalUint32, string, uint32, uint64 } from "./message.ts";
import { repeatedUint32 } from "./repeated-fields.ts";

/**
 * Names the versions whose state a Delete, Undelete or Destroy changes, in any order and possibly repeated. An empty
 * list means the newest version.
 */
export interface VersionsRequest {
  readonly path: string;
  readonly versions: readonly number[];
  readonly expectedVersion: number | undefined;
  /** A UUID, or empty. */
  readonly requestId: string;
}

const versionsFields = {
  path: string(1, "path"),
  versions: repeatedUint32(2, "versions", MAX_NAMED_VERSIONS),
  expectedVersion: optionalUint32(3, "expected_version"),
  requestId: string(4, "request_id"),
};

/** Names versions whose content can no longer be read after the change. */
export interface RemovalRequest extends VersionsRequest {
  /** Whether every watcher of the secret has to use its newest version. */
  readonly requireConverged: boolean;
  /** How many watchers the secret has to have; 0 if any number is enough. It needs `requireConverged`. */
  readonly minWatchers: number;
}

const removalRequest = message<RemovalRequest>(
  { ...versionsFields, requireConverged: bool(5, "require_converged"), minWatchers: uint32(6, "min_watchers") },
  MAX_REQUEST_FIELDS,
);

/** The versions whose state was changed. */
export interface VersionsResponse {
  /** The path of the secret. */
  readonly path: string;
  /** The versions that this call changed, ascending. Empty if all of them had the state before. */
  readonly versions: readonly number[];
  /** The revision of the store that this change created; that of the secret's last change if nothing was changed. */
  readonly revision: number;
  /** The revision of the store at which this answer was made. */
  readonly storeRevision: number;
}

const versionsResponse = message<VersionsResponse>({
  path: string(1, "path"),
  versions: repeatedUint32(2, "versions"),
  revision: uint64(3, "revision"),
  storeRevision: uint64(4, "store_revision"),
});

/** Names the versions to delete. */
export type DeleteRequest = RemovalRequest;

/** DeleteRequest on the wire. */
export const deleteRequest = removalRequest;

/** The versions that a Delete marked as deleted. */
export type DeleteResponse = VersionsResponse;

/** DeleteResponse on the wire. */
export const deleteResponse = versionsResponse;

/** Names the versions to undelete. */
export type UndeleteRequest = VersionsRequest;

/** UndeleteRequest on the wire. */
export const undeleteRequest = message<UndeleteRequest>(versionsFields, MAX_REQUEST_FIELDS);

/** The versions that an Undelete made readable. */
export type UndeleteResponse = VersionsResponse;

/** UndeleteResponse on the wire. */
export const undeleteResponse = versionsResponse;

/** Names the versions to destroy. */
export type DestroyRequest = RemovalRequest;

/** DestroyRequest on the wire. */
export const destroyRequest = removalRequest;

/** The versions that a Destroy destroyed. */
export type DestroyResponse = VersionsResponse;

/** DestroyResponse on the wire. */
export const destroyResponse = versionsResponse;

import type { NamesOf } from "./known-options.ts";
import type { Text } from "./request-fields.ts";

/** The options of every call. */
export interface CallOptions {
  /** Ends the call with the code CANCELLED when it is aborted. A change in flight may still be applied. */
  readonly signal?: AbortSignal | undefined;
  /** Overrides the client's `timeoutMs` for this call. */
  readonly timeoutMs?: number | undefined;
  /** Overrides the client's `waitForReady` for this call. */
  readonly waitForReady?: boolean | undefined;
}

/** The options of a Get. */
export interface GetOptions extends CallOptions {
  /** The version to read. The newest by default. */
  readonly version?: number | undefined;
  /**
   * The keys to return. All by default. If the version does not have one of them, the call fails with KEY_NOT_FOUND.
   */
  readonly keys?: readonly Text[] | undefined;
  /**
   * A version that the program already has. If the call would return this version, the answer has `kind:
   * "not-modified"` and no content.
   */
  readonly ifVersionNot?: number | undefined;
  /**
   * The `storeRevision` of an earlier answer: this Get sees every change that the answer depends on. If the server has
   * not reached it, the call is repeated, and fails with REVISION_AHEAD at its timeout.
   */
  readonly minRevision?: number | undefined;
}

/** The options of a BatchGet. */
export interface BatchGetOptions extends CallOptions {
  /** See {@link GetOptions.minRevision}. */
  readonly minRevision?: number | undefined;
}

/** The options of every change. */
export interface ChangeOptions extends CallOptions {
  /**
   * The request_id of the change, a UUID. By default, the client generates one for each call. To repeat an earlier
   * call, pass its request_id (see {@link ClientError.requestId}) and the same arguments: the server applies the change
   * once.
   */
  readonly requestId?: string | undefined;
}

/** The expected version of the secret that a change writes. */
export interface ExpectedVersion {
  /**
   * The expected number of the latest version, whatever its state; 0 if no version is retained and no tombstone is in
   * force. After a Purge, as long as the server keeps the tombstone, it is the number of the last version before the
   * Purge. If the secret has another number, the call fails with VERSION_MISMATCH. By default, the call does not check
   * it.
   */
  readonly expectedVersion?: number | undefined;
}

/** When a new version expires. At most one of the two can be set. By default, the secret's default applies. */
export interface VersionExpiry {
  /** The time from the commit until the version expires, in milliseconds: at least 1, and at most 10 years. */
  readonly ttlMs?: number | undefined;
  /** When the version expires, in milliseconds since the epoch. It has to be in the future. */
  readonly expireTime?: number | undefined;
}

/** The versions that a Delete, Undelete or Destroy changes. */
export interface NamedVersions {
  /** The numbers of the versions. The newest by default. An empty list is refused. */
  readonly versions?: readonly number[] | undefined;
}

/** Whether versions may be removed while watchers use them. */
export interface RequiredConvergence {
  /**
   * Fails with NOT_CONVERGED unless every watcher of the secret has reported its newest version, see
   * {@link SecretDescription.convergence}. False by default.
   */
  readonly requireConverged?: boolean | undefined;
  /**
   * Also fails with NOT_CONVERGED if the secret has fewer watchers. After a restart of the server or a lost connection,
   * watchers are not counted until they have reconnected. It needs `requireConverged`. 0 by default.
   */
  readonly minWatchers?: number | undefined;
}

/** The options of Patch, Restore, Purge and Metadata. */
export interface SecretChangeOptions extends ChangeOptions, ExpectedVersion {}

/** The options of a Put. */
export interface PutOptions extends SecretChangeOptions, VersionExpiry {}

/** The options of Undelete. */
export interface VersionsOptions extends SecretChangeOptions, NamedVersions {}

/** The options of Delete and Destroy. */
export interface RemovalOptions extends VersionsOptions, RequiredConvergence {}

/** The options of a Copy. `expectedVersion` is that of the target. */
export interface CopyOptions extends SecretChangeOptions {
  /** The version of the source to copy. The newest by default. */
  readonly version?: number | undefined;
}

/**
 * A condition of a Commit: a secret that it does not change must have this latest version. The caller needs the action
 * read.
 */
export interface GuardedSecret {
  /** The path of the secret. */
  readonly path: Text;
  /** See {@link ExpectedVersion.expectedVersion}. */
  readonly expectedVersion: number;
}

/** The options of a Commit. */
export interface CommitOptions extends ChangeOptions {
  /** Conditions on secrets that the Commit does not change. At most 128. */
  readonly guards?: readonly GuardedSecret[] | undefined;
}

/** The options of a listing. */
export interface ListOptions extends CallOptions {
  /** Lists only secrets that have all of these labels. Secrets that the caller may not describe do not match. */
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /**
   * Also lists secrets whose newest version is deleted, destroyed or expired, and secrets without a version. False by
   * default.
   */
  readonly showDeleted?: boolean | undefined;
  /**
   * Lists one level of the tree, like a folder: a secret with another "/" after the prefix is not listed. Its path up to
   * and including that "/" is listed once, as a prefix.
   */
  readonly delimiter?: "/" | undefined;
}

/** The options of a listing that yields pages. */
export interface ListPagesOptions extends ListOptions {
  /** The maximum number of entries and prefixes of a page: 1 to 1,000, and 100 by default. */
  readonly pageSize?: number | undefined;
  /** The `nextPageToken` of a page of a listing with the same prefix and options: the listing continues after that page. */
  readonly pageToken?: string | undefined;
}

const CALL: NamesOf<CallOptions> = { signal: true, timeoutMs: true, waitForReady: true };
const CHANGE: NamesOf<SecretChangeOptions> = { ...CALL, requestId: true, expectedVersion: true };
const LIST: NamesOf<ListOptions> = { ...CALL, labels: true, showDeleted: true, delimiter: true };

/** The names of the options of each method. */
export const OptionNames = {
  call: CALL,
  get: { ...CALL, version: true, keys: true, ifVersionNot: true, minRevision: true } satisfies NamesOf<GetOptions>,
  batchGet: { ...CALL, minRevision: true } satisfies NamesOf<BatchGetOptions>,
  change: CHANGE,
  put: { ...CHANGE, ttlMs: true, expireTime: true } satisfies NamesOf<PutOptions>,
  versions: { ...CHANGE, versions: true } satisfies NamesOf<VersionsOptions>,
  removal: { ...CHANGE, versions: true, requireConverged: true, minWatchers: true } satisfies NamesOf<RemovalOptions>,
  copy: { ...CHANGE, version: true } satisfies NamesOf<CopyOptions>,
  commit: { ...CALL, requestId: true, guards: true } satisfies NamesOf<CommitOptions>,
  list: LIST,
  listPages: { ...LIST, pageSize: true, pageToken: true } satisfies NamesOf<ListPagesOptions>,
};

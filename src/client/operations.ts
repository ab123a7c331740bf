import type { NamesOf } from "./known-options.ts";
import type { ExpectedVersion, NamedVersions, RequiredConvergence, VersionExpiry } from "./call-options.ts";
import type { Text } from "./request-fields.ts";
import type { Values } from "./values.ts";

/** One change of a Commit. */
export type ChangeOperation =
  | PutOperation
  | PatchOperation
  | VersionsOperation
  | RestoreOperation
  | CopyOperation
  | PurgeOperation
  | MetadataOperation;

/** Adds a version. See {@link CofferClient.put}. */
export interface PutOperation extends ExpectedVersion, VersionExpiry {
  /** Always "put". */
  readonly kind: "put";
  /** The path of the secret. */
  readonly path: Text;
  /** The values of the new version. */
  readonly values: Values;
}

/** The keys that a Patch changes. At least one is required in total. */
export interface PatchChanges {
  /** The values to set, by key. */
  readonly set?: Values | undefined;
  /** The keys to remove. Those that do not exist are ignored. */
  readonly remove?: readonly Text[] | undefined;
}

/** Adds a version with some keys changed. See {@link CofferClient.patch}. */
export interface PatchOperation extends ExpectedVersion, PatchChanges {
  /** Always "patch". */
  readonly kind: "patch";
  /** The path of the secret. */
  readonly path: Text;
}

/** Deletes or destroys versions. See {@link CofferClient.delete} and {@link CofferClient.destroy}. */
export interface RemovalOperation extends ExpectedVersion, NamedVersions, RequiredConvergence {
  /** What happens to the versions. */
  readonly kind: "delete" | "destroy";
  /** The path of the secret. */
  readonly path: Text;
}

/** Makes deleted versions readable again. See {@link CofferClient.undelete}. */
export interface UndeleteOperation extends ExpectedVersion, NamedVersions {
  /** Always "undelete". */
  readonly kind: "undelete";
  /** The path of the secret. */
  readonly path: Text;
}

/** Changes the state of versions. */
export type VersionsOperation = RemovalOperation | UndeleteOperation;

/** Adds a version with the content of an older one. See {@link CofferClient.restore}. */
export interface RestoreOperation extends ExpectedVersion {
  /** Always "restore". */
  readonly kind: "restore";
  /** The path of the secret. */
  readonly path: Text;
  /** The version whose content the new version gets. */
  readonly version: number;
}

/** Adds a version with the content of another secret. See {@link CofferClient.copy}. */
export interface CopyOperation extends ExpectedVersion {
  /** Always "copy". */
  readonly kind: "copy";
  /** The path of the secret to read. */
  readonly source: Text;
  /** The version of the source to copy. The newest by default. */
  readonly version?: number | undefined;
  /** The path of the secret to write. */
  readonly target: Text;
}

/** Removes a secret. See {@link CofferClient.purge}. */
export interface PurgeOperation extends ExpectedVersion {
  /** Always "purge". */
  readonly kind: "purge";
  /** The path of the secret. */
  readonly path: Text;
}

/** The settings to change. Those that are left out stay as they are. */
export interface MetadataChanges {
  /** The maximum number of retained versions, in any state: 1 to 100. */
  readonly maxVersions?: number | undefined;
  /** Labels to set, by key. A secret has at most 64 labels, with the grammar of Kubernetes' labels. */
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** The keys of labels to remove. */
  readonly removeLabels?: readonly Text[] | undefined;
  /** A description for humans, at most 1,024 bytes. Empty removes it. */
  readonly description?: string | undefined;
  /** The time to live, in milliseconds, of later versions that are written without an expiry. 0 removes it. */
  readonly defaultTtlMs?: number | undefined;
  /** Whether every Put, Patch, Restore and Copy to this secret needs `expectedVersion`. */
  readonly casRequired?: boolean | undefined;
}

/** Changes the settings of a secret. See {@link CofferClient.metadata}. */
export interface MetadataOperation extends ExpectedVersion, MetadataChanges {
  /** Always "metadata". */
  readonly kind: "metadata";
  /** The path of the secret. */
  readonly path: Text;
}

/** What one operation of a Commit did. */
export type OperationOutcome = AddedResult | VersionsResult | PurgedResult | SettingsResult;

/** The result of a put, patch, restore or copy. */
export interface AddedResult {
  /** Always "added". */
  readonly kind: "added";
  /** The path of the secret. */
  readonly path: string;
  /** The number of the version that was added. */
  readonly version: number;
  /** When the version expires, in milliseconds since the epoch; undefined if it does not. */
  readonly expireTime: number | undefined;
}

/** The result of a delete, undelete or destroy. */
export interface VersionsResult {
  /** Always "versions". */
  readonly kind: "versions";
  /** The path of the secret. */
  readonly path: string;
  /** The versions whose state was changed, ascending. */
  readonly versions: readonly number[];
}

/** The result of a purge. */
export interface PurgedResult {
  /** Always "purged". */
  readonly kind: "purged";
  /** The path of the secret. */
  readonly path: string;
  /** The number of its last version; 0 if it had none. */
  readonly lastVersion: number;
}

/** The result of a change of settings. */
export interface SettingsResult {
  /** Always "settings". */
  readonly kind: "settings";
  /** The path of the secret. */
  readonly path: string;
}

/** The type of the result of an operation. */
export type ResultOf<Operation extends ChangeOperation> = Operation extends
  | PutOperation
  | PatchOperation
  | RestoreOperation
  | CopyOperation
  ? AddedResult
  : Operation extends VersionsOperation
    ? VersionsResult
    : Operation extends PurgeOperation
      ? PurgedResult
      : SettingsResult;

/** The answer to a Commit. */
export interface Committed<Operations extends readonly ChangeOperation[]> {
  /** The results, in the order of the operations. */
  readonly results: { readonly [Index in keyof Operations]: ResultOf<Operations[Index]> };
  /** The revision of the store that all changes have. */
  readonly revision: number;
  /** When the changes were made, in milliseconds since the epoch. */
  readonly commitTime: number | undefined;
  /** The revision of the store at which this answer was made. */
  readonly storeRevision: number;
}

const SETTINGS = {
  maxVersions: true,
  labels: true,
  removeLabels: true,
  description: true,
  defaultTtlMs: true,
  casRequired: true,
} as const;
const TARGET = { kind: true, path: true, expectedVersion: true } as const;
const UNDELETE: NamesOf<UndeleteOperation> = { ...TARGET, versions: true };
const REMOVAL: NamesOf<RemovalOperation> = { ...UNDELETE, requireConverged: true, minWatchers: true };

/** The names of the changes of a Patch. */
export const PATCH_NAMES: NamesOf<PatchChanges> = { set: true, remove: true };

/** The names of the changes of settings. */
export const METADATA_NAMES: NamesOf<MetadataChanges> = SETTINGS;

/** The names of the properties of each kind of operation. */
export const OPERATION_NAMES = {
  put: { ...TARGET, values: true, ttlMs: true, expireTime: true } satisfies NamesOf<PutOperation>,
  patch: { ...TARGET, ...PATCH_NAMES } satisfies NamesOf<PatchOperation>,
  delete: REMOVAL,
  undelete: UNDELETE,
  destroy: REMOVAL,
  restore: { ...TARGET, version: true } satisfies NamesOf<RestoreOperation>,
  copy: {
    kind: true,
    source: true,
    version: true,
    target: true,
    expectedVersion: true,
  } satisfies NamesOf<CopyOperation>,
  purge: TARGET satisfies NamesOf<PurgeOperation>,
  metadata: { ...TARGET, ...SETTINGS } satisfies NamesOf<MetadataOperation>,
};

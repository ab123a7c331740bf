/**
 * Coffer's client for workloads, as `coffer/client`. It loads no native module and nothing of the server.
 *
 * @module
 */
export { CofferClient } from "./coffer-client.ts";
export { CofferReader } from "./coffer-reader.ts";
export type {
  BatchGetOptions,
  CallOptions,
  ChangeOptions,
  GuardedSecret,
  CommitOptions,
  CopyOptions,
  ExpectedVersion,
  GetOptions,
  ListOptions,
  ListPagesOptions,
  NamedVersions,
  PutOptions,
  RemovalOptions,
  RequiredConvergence,
  SecretChangeOptions,
  VersionExpiry,
  VersionsOptions,
} from "./call-options.ts";
export type { ClientOptions } from "./client-options.ts";
export type { SecretDescription } from "./description.ts";
export type { ListingPage, ListingPrefix, ListingEntry } from "./list-pages.ts";
export type {
  AddedResult,
  ChangeOperation,
  Committed,
  CopyOperation,
  MetadataChanges,
  MetadataOperation,
  OperationOutcome,
  PatchChanges,
  PatchOperation,
  PurgeOperation,
  PurgedResult,
  PutOperation,
  RemovalOperation,
  RestoreOperation,
  UndeleteOperation,
  ResultOf,
  SettingsResult,
  VersionsOperation,
  VersionsResult,
} from "./operations.ts";
export type { Text } from "./request-fields.ts";
export type { NotModified, Secret, SecretBatch, UnreadSecret } from "./read-secret.ts";
export type { FilesIdentity, IdentityOption, WorkloadApiIdentity } from "./identity-option.ts";
export type {
  SecretEvent,
  SecretGone,
  SecretSeen,
  WatchIsAlive,
  WatchIsDisconnected,
  WatchIsSynced,
  WatchedState,
} from "./secret-events.ts";
export { SecretCache } from "./secret-cache.ts";
export type { CacheFileOption, SecretCacheOptions } from "./cache-options.ts";
export { CacheChanges } from "./cache-changes.ts";
export type { CacheChange } from "./cache-changes.ts";
export { CachedSecret } from "./cached-secret.ts";
export { CacheFileError } from "./cache-file-error.ts";
export { SecretWatch } from "./secret-watch.ts";
export type { WatchOptions } from "./watch-options.ts";
export type { ReportedState } from "./watch-reports.ts";
export type { Values } from "./values.ts";
export { ClientError } from "./client-error.ts";
export type { StatusName } from "./client-error.ts";
export type { ConnectionFailure } from "./connection-failure.ts";
export type { SERVING_STATUS, ServingStatus } from "./methods.ts";
export type { Applied, Reason } from "../contract/reasons.ts";
export type {
  AddedVersion,
  Convergence,
  LaggingWatcher,
  MetadataResponse,
  PurgeResponse,
  VersionDescription,
  VersionsResponse,
} from "../contract/messages.ts";
export { ReportState, VersionState } from "../contract/messages.ts";
export type { Address } from "../domain/address.ts";
export { Content } from "../domain/content.ts";
export type { ContentEntry } from "../domain/content.ts";
export { SpiffeId } from "../spiffe/spiffe-id.ts";
export { SpiffeIdError } from "../spiffe/spiffe-id-error.ts";
export type { SpiffeIdRule } from "../spiffe/spiffe-id-error.ts";
export type { TrustDomain } from "../spiffe/trust-domain.ts";
export type { SvidRefused, RefusalReason } from "../spiffe/svid-refused.ts";
export type { ErrorMetadata } from "../domain/errors.ts";

import type { MapEntry } from "../contract/map-field.ts";
import * as wire from "../contract/messages.ts";
import type { Content } from "../domain/content.ts";
import { CofferError } from "../domain/errors.ts";
import type { ListAnswer, ListedSecret } from "../engine/list-page.ts";
import type { BatchEntry } from "../engine/secret-reads.ts";
import type { BatchAnswer, ChangeAnswer, DescribedSecret, GetAnswer } from "../engine/secrets-engine.ts";
import type { VersionStateKind } from "../store/change.ts";
import { type Version, lastChangeTime, latestVersion, newest, stateAt } from "../store/secret.ts";
import type { WatcherBehind, WatcherCount } from "../store/watch-registry.ts";
import { codeOf } from "./status.ts";

/** The answer of a call that added a version. */
export function addedVersion(
  path: string,
  { revision, time, results, storeRevision }: ChangeAnswer,
): wire.AddedVersion {
  const [result] = results;
  const [version = 0] = result?.versions ?? [];
  return { path, version, revision, createTime: time, expireTime: result?.expireTime, storeRevision };
}

/** The answer of a call that changed the state of versions. */
export function changedVersions(
  path: string,
  { revision, results, storeRevision }: ChangeAnswer,
): wire.VersionsResponse {
  return { path, versions: results[0]?.versions ?? [], revision, storeRevision };
}

/** The answer of a Purge. */
export function purged(path: string, { revision, results, storeRevision }: ChangeAnswer): wire.PurgeResponse {
  return { path, lastVersion: results[0]?.versions[0] ?? 0, revision, storeRevision };
}

/** The answer of a Metadata. */
export function changedSettings(path: string, { revision, storeRevision }: ChangeAnswer): wire.MetadataResponse {
  return { path, revision, storeRevision };
}

/** The answer of a Commit, with the paths of its operations. */
export function committed(
  operations: readonly { readonly path: string }[],
  { revision, time, results, storeRevision }: ChangeAnswer,
): wire.CommitResponse {
  const named = results.map((result, index) => ({ path: operations[index]?.path ?? "", ...result }));
  return { results: named, revision, commitTime: time, storeRevision };
}

/** The answer of a Get. */
export function gotSecret(path: string, { version, content, storeRevision }: GetAnswer): wire.GetResponse {
  const { number, createTime, revision, expireTime } = version;
  const { data, binaryData } = split(content);
  const notModified = content === undefined;
  return { path, version: number, data, binaryData, createTime, revision, expireTime, notModified, storeRevision };
}

/** The answer of a BatchGet. */
export function gotSecrets({ entries, storeRevision }: BatchAnswer): wire.BatchGetResponse {
  return { entries: entries.map((entry) => batchEntry(entry, storeRevision)), storeRevision };
}

function batchEntry({ path, result }: BatchEntry, storeRevision: number): wire.BatchGetEntry {
  if (result instanceof CofferError) return { path, result: { kind: "error", value: batchError(result) } };
  const { version, content } = result;
  return { path, result: { kind: "secret", value: gotSecret(path, { version, content, storeRevision }) } };
}

function batchError({ reason, message, metadata }: CofferError): wire.BatchGetError {
  return { code: codeOf(reason), message, reason, metadata: Object.entries(metadata) };
}

/** The values of a content, divided into text and bytes. */
export function split(content: Content | undefined): { data: readonly MapEntry[]; binaryData: readonly MapEntry[] } {
  const data: MapEntry[] = [];
  const binaryData: MapEntry[] = [];
  for (const entry of content?.entries() ?? []) (entry.kind === "text" ? data : binaryData).push(entry);
  return { data, binaryData };
}

/** The answer of a List. */
export function listed({ secrets, folders, nextPageToken, time, storeRevision }: ListAnswer): wire.ListResponse {
  return { entries: secrets.map((secret) => listEntry(secret, time)), nextPageToken, prefixes: folders, storeRevision };
}

/** A caller that may not describe a secret gets only its path. */
function listEntry({ path, described }: ListedSecret, time: number): wire.ListEntry {
  const { unspecified } = wire.VersionState;
  if (described === undefined) return { path, latestVersion: 0, updateTime: undefined, labels: [], state: unspecified };
  const version = newest(described);
  return {
    path,
    latestVersion: latestVersion(described),
    updateTime: lastChangeTime(described),
    labels: described.settings.labels,
    state: version === undefined ? unspecified : STATES[stateAt(version, time)],
  };
}

/** The answer of a Describe. */
export function description({ secret, watchers, time, storeRevision }: DescribedSecret): wire.DescribeResponse {
  const { path, versions, settings } = secret;
  const { maxVersions, labels, description, defaultTtl, casRequired } = settings;
  return {
    path,
    versions: versions.map((version) => versionDescription(version, time)),
    latestVersion: latestVersion(secret),
    maxVersions,
    labels,
    description,
    defaultTtl,
    casRequired,
    storeRevision,
    convergence: convergence(watchers),
  };
}

function convergence({ watchers, converged, behind }: WatcherCount): wire.Convergence {
  return { watchers, converged, behind: behind.map(laggingWatcher) };
}

function laggingWatcher({ caller, instance, version, state }: WatcherBehind): wire.LaggingWatcher {
  return { spiffeId: caller, instance, version, state: REPORT_STATES[state ?? "unspecified"] };
}

const REPORT_STATES = { ...wire.ReportState, "in use": wire.ReportState.inUse } as const;

/** The value of the enum VersionState for each state. */
export const STATES: Readonly<Record<VersionStateKind, number>> = {
  live: wire.VersionState.live,
  deleted: wire.VersionState.deleted,
  destroyed: wire.VersionState.destroyed,
  expired: wire.VersionState.expired,
};

function versionDescription(version: Version, time: number): wire.VersionDescription {
  const { number, createTime, createdBy, revision, expireTime, state } = version;
  const kind = stateAt(version, time);
  const isDeleted = kind === "deleted";
  // The stored state becomes "expired" when the content is removed, up to a minute after the version has expired.
  const isRemoved = state.kind === "destroyed" || state.kind === "expired";
  return {
    version: number,
    state: STATES[kind],
    createTime,
    createdBy,
    deleteTime: isDeleted ? state.time : undefined,
    deletedBy: isDeleted ? state.by : "",
    revision,
    expireTime,
    destroyTime: isRemoved ? state.time : undefined,
    destroyedBy: isRemoved ? state.by : "",
  };
}

import { MAX_CONFIGURABLE_VERSIONS, MAX_DESCRIPTION_BYTES, MAX_TTL_MS, MIN_TTL_MS } from "../contract/limits.ts";
import type { MapEntry } from "../contract/map-field.ts";
import type * as wire from "../contract/messages.ts";
import { Content, type ContentEntry, checkKeys } from "../domain/content.ts";
import { invalidField, limitExceeded } from "../domain/errors.ts";
import { checkLabelKeys, checkLabels } from "../domain/labels.ts";
import { type PermittedOperation, permitted } from "../engine/permitted.ts";
import type { CallPermits } from "../engine/permits.ts";
import type { SecretPath } from "../domain/secret-path.ts";
import type { ConvergenceDemand, Expiry, SettingsUpdate } from "../store/command.ts";

/** The request of each change, by the name of its field in Operation. */
export type ChangeRequests = {
  readonly [K in wire.OperationChange["kind"]]: Extract<wire.OperationChange, { kind: K }>["value"];
};

/** Checks the request of a change, authorizes it, and makes the operation. `maxContentBytes` bounds one content. */
type ToOperation<Request> = (permits: CallPermits, request: Request, maxContentBytes: number) => PermittedOperation;

/** How each change is authorized and checked, the same for its own call and for an operation of a Commit. */
export const toOperation: { readonly [K in keyof ChangeRequests]: ToOperation<ChangeRequests[K]> } = {
  put(permits, { path, data, binaryData, expireTime, ttl, expectedVersion }, maxContentBytes) {
    const write = permits.permitText("write", path);
    const content = Content.parse(contentEntries(data, binaryData), maxContentBytes);
    return permitted.put(write, content, expiryOf(expireTime, ttl), expectedVersion);
  },

  patch(permits, { path, data, binaryData, remove, expectedVersion }, maxContentBytes) {
    const write = permits.permitText("write", path);
    checkExists(expectedVersion);
    const set = setOf(contentEntries(data, binaryData), remove, maxContentBytes);
    return permitted.patch(write, set, remove, expectedVersion);
  },

  delete: (permits, request) => changeDeletion(permits, "delete", request, request),

  undelete: (permits, request) => changeDeletion(permits, "undelete", request),

  destroy(permits, { path, versions, expectedVersion, ...demand }) {
    const permit = permits.permitText("destroy", path);
    checkVersions(versions);
    checkExists(expectedVersion);
    return permitted.destroy(permit, versions, expectedVersion, demandOf(permits, permit.path, demand));
  },

  restore(permits, { path, version, expectedVersion }) {
    const write = permits.permitText("write", path);
    const read = permits.permitText("read", path);
    if (version === 0) throw invalidField("version", "is 0; versions start at 1");
    checkExists(expectedVersion);
    return permitted.copy(read, version, write, expectedVersion);
  },

  copy(permits, { source, version, target, expectedVersion }) {
    const read = permits.permitText("read", source, "source");
    const write = permits.permitText("write", target, "target");
    return permitted.copy(read, version, write, expectedVersion);
  },

  purge(permits, { path, expectedVersion }) {
    return permitted.purge(permits.permitText("destroy", path), expectedVersion);
  },

  metadata(permits, request) {
    const write = permits.permitText("write", request.path);
    return permitted.metadata(write, settingsUpdate(request), request.expectedVersion);
  },
};

/** The entries of both maps, text first. */
function contentEntries(data: readonly MapEntry[], binaryData: readonly MapEntry[]): ContentEntry[] {
  const of = (kind: ContentEntry["kind"], map: readonly MapEntry[]) =>
    map.map(({ key, value }) => ({ kind, key, value }));
  return [...of("text", data), ...of("binary", binaryData)];
}

/** The keys that a Patch sets. They can be empty if it removes some. */
function setOf(entries: readonly ContentEntry[], remove: readonly string[], maxContentBytes: number): Content {
  checkKeys("remove", remove);
  if (entries.length === 0 && remove.length > 0) return Content.unchecked([]);
  const set = Content.parse(entries, maxContentBytes);
  const removed = new Set(remove);
  const both = set.keys().find((key) => removed.has(key));
  if (both !== undefined) throw invalidField("remove", `contains the key ${both}, which is also set`);
  return set;
}

function expiryOf(expireTime: number | undefined, ttl: number | undefined): Expiry {
  if (ttl !== undefined && expireTime !== undefined) throw invalidField("ttl", "and expire_time are both set");
  if (ttl !== undefined) return { kind: "after", ms: wholeTtl("ttl", ttl) };
  return expireTime === undefined ? { kind: "default" } : { kind: "at", time: expireTime };
}

/** Checks a time to live, and returns it in whole milliseconds. */
function wholeTtl(field: string, ms: number): number {
  if (ms < MIN_TTL_MS) throw invalidField(field, "is shorter than one millisecond");
  if (ms > MAX_TTL_MS) throw limitExceeded(field, MAX_TTL_MS, "milliseconds", ms);
  return Math.floor(ms);
}

function changeDeletion(
  permits: CallPermits,
  kind: "delete" | "undelete",
  { path, versions, expectedVersion }: wire.VersionsRequest,
  demand: DemandFields = {},
): PermittedOperation {
  const permit = permits.permitText("delete", path);
  checkVersions(versions);
  checkExists(expectedVersion);
  return permitted.changeDeletion(permit, kind, versions, expectedVersion, demandOf(permits, permit.path, demand));
}

type DemandFields = Partial<Pick<wire.RemovalRequest, "requireConverged" | "minWatchers">>;

/** Only a caller that may describe the secret learns who its watchers are. */
function demandOf(
  permits: CallPermits,
  path: SecretPath,
  { requireConverged = false, minWatchers = 0 }: DemandFields,
): ConvergenceDemand | undefined {
  if (requireConverged) return { minWatchers, refusal: permits.scope("describe").covers(path) ? "named" : "counted" };
  if (minWatchers > 0) throw invalidField("min_watchers", "is set, and require_converged is not");
  return undefined;
}

function checkVersions(versions: readonly number[]): void {
  if (versions.includes(0)) throw invalidField("versions", "contains 0; versions start at 1");
}

/** For a change that is possible only if the secret has a version. */
function checkExists(expectedVersion: number | undefined): void {
  if (expectedVersion === 0)
    throw invalidField("expected_version", "is 0, which means that the secret has no version to change");
}

function settingsUpdate(request: wire.MetadataRequest): SettingsUpdate {
  const { maxVersions, labels, removeLabels, description, defaultTtl, casRequired } = request;
  checkMaxVersions(maxVersions);
  checkLabels("labels", labels);
  checkRemovedLabels(labels, removeLabels);
  if (description !== undefined) checkDescription(description);
  const update = {
    maxVersions,
    setLabels: labels,
    removedLabels: removeLabels,
    description,
    defaultTtl: defaultTtl === undefined || defaultTtl === 0 ? defaultTtl : wholeTtl("default_ttl", defaultTtl),
    casRequired,
  };
  const isEmpty = Object.values(update).every((value) => value === undefined || isEmptyList(value));
  if (isEmpty) throw invalidField("max_versions", "and all other settings are absent; set at least one");
  return update;
}

function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

function checkMaxVersions(maxVersions: number | undefined): void {
  if (maxVersions === undefined) return;
  if (maxVersions === 0) throw invalidField("max_versions", "is 0; at least one version is retained");
  if (maxVersions > MAX_CONFIGURABLE_VERSIONS)
    throw limitExceeded("max_versions", MAX_CONFIGURABLE_VERSIONS, "versions", maxVersions);
}

function checkRemovedLabels(labels: readonly (readonly [string, string])[], removed: readonly string[]): void {
  checkLabelKeys("remove_labels", removed);
  const both = labels.find(([key]) => removed.includes(key));
  if (both !== undefined) throw invalidField("remove_labels", `contains the label ${both[0]}, which is also set`);
}

function checkDescription(description: string): void {
  const bytes = Buffer.byteLength(description);
  if (bytes > MAX_DESCRIPTION_BYTES) throw limitExceeded("description", MAX_DESCRIPTION_BYTES, "bytes", bytes);
}

import type * as wire from "../contract/messages.ts";
import type { BatchGetOptions, GetOptions, ListPagesOptions } from "./call-options.ts";
import type * as operations from "./operations.ts";
import {
  type Text,
  flagOf,
  keysOf,
  labelsOf,
  millisecondsOf,
  requiredVersion,
  revisionOf,
  textsOf,
  versionOf,
  versionsOf,
} from "./request-fields.ts";
import { type Values, contentOf, textOf } from "./values.ts";

/**
 * The arguments of each method as the request of its RPC. A change has the same arguments as a method and as an
 * operation of a Commit. Its request_id is set when it is sent. Each function throws {@link ClientError}.
 */

/** The arguments of a change: an operation without its kind. */
type ArgumentsOf<Operation> = Omit<Operation, "kind">;

/** The request of a Put. */
export function putRequestOf({ path, values, ...change }: ArgumentsOf<operations.PutOperation>): wire.PutRequest {
  return {
    ...changeOf(path, change),
    ...valuesOf(values),
    ttl: millisecondsOf("ttlMs", change.ttlMs),
    expireTime: millisecondsOf("expireTime", change.expireTime),
  };
}

/** The request of a Patch. */
export function patchRequestOf({
  path,
  set,
  remove,
  ...change
}: ArgumentsOf<operations.PatchOperation>): wire.PatchRequest {
  return { ...changeOf(path, change), ...valuesOf(set ?? {}), remove: textsOf("remove", remove) };
}

/** The request of an Undelete. */
export function versionsRequestOf({
  path,
  versions,
  ...change
}: ArgumentsOf<operations.UndeleteOperation>): wire.VersionsRequest {
  return { ...changeOf(path, change), versions: versionsOf("versions", versions) };
}

/** The request of a Delete or Destroy. */
export function removalRequestOf({
  requireConverged = false,
  minWatchers = 0,
  ...removal
}: ArgumentsOf<operations.RemovalOperation>): wire.RemovalRequest {
  return {
    ...versionsRequestOf(removal),
    requireConverged: flagOf("requireConverged", requireConverged),
    minWatchers: versionOf("minWatchers", minWatchers),
  };
}

/** The request of a Restore. */
export function restoreRequestOf({
  path,
  version,
  ...change
}: ArgumentsOf<operations.RestoreOperation>): wire.RestoreRequest {
  return { ...changeOf(path, change), version: requiredVersion("version", version) };
}

/** The request of a Copy. */
export function copyRequestOf({
  source,
  target,
  version = 0,
  ...change
}: ArgumentsOf<operations.CopyOperation>): wire.CopyRequest {
  const { path, ...rest } = changeOf(target, change, "target");
  return { ...rest, target: path, source: textOf("source", source), version: versionOf("version", version) };
}

/** The request of a Purge. */
export function purgeRequestOf({ path, ...change }: ArgumentsOf<operations.PurgeOperation>): wire.PurgeRequest {
  return changeOf(path, change);
}

/** The request of a change of settings. */
export function metadataRequestOf({
  path,
  ...change
}: ArgumentsOf<operations.MetadataOperation>): wire.MetadataRequest {
  const { maxVersions, labels, removeLabels, description, defaultTtlMs, casRequired } = change;
  return {
    ...changeOf(path, change),
    maxVersions: versionOf("maxVersions", maxVersions),
    labels: labelsOf("labels", labels),
    removeLabels: textsOf("removeLabels", removeLabels),
    description: description === undefined ? undefined : textOf("description", description),
    defaultTtl: millisecondsOf("defaultTtlMs", defaultTtlMs),
    casRequired: flagOf("casRequired", casRequired),
  };
}

/** The request of a Get. */
export function getRequestOf(path: Text, options: GetOptions): wire.GetRequest {
  return {
    path: textOf("path", path),
    version: versionOf("version", options.version ?? 0),
    keys: keysOf("keys", options.keys),
    ifVersionNot: versionOf("ifVersionNot", options.ifVersionNot ?? 0),
    minRevision: revisionOf("minRevision", options.minRevision),
  };
}

/** The request of a BatchGet. */
export function batchGetRequestOf(paths: readonly Text[], { minRevision }: BatchGetOptions): wire.BatchGetRequest {
  return { paths: textsOf("paths", paths), minRevision: revisionOf("minRevision", minRevision) };
}

/** The request of the first page to read: the one that `pageToken` names or, by default, the first of the listing. */
export function listRequestOf(prefix: Text, options: ListPagesOptions): wire.ListRequest {
  return {
    prefix: textOf("prefix", prefix),
    pageSize: versionOf("pageSize", options.pageSize ?? 0),
    pageToken: textOf("pageToken", options.pageToken ?? ""),
    delimiter: textOf("delimiter", options.delimiter ?? ""),
    labels: labelsOf("labels", options.labels),
    showDeleted: flagOf("showDeleted", options.showDeleted) ?? false,
  };
}

function changeOf(
  path: Text,
  { expectedVersion }: { readonly expectedVersion?: number | undefined },
  name = "path",
): wire.SecretChangeRequest {
  return {
    path: textOf(name, path),
    expectedVersion: versionOf("expectedVersion", expectedVersion),
    requestId: "",
  };
}

function valuesOf(values: Values): Pick<wire.PutRequest, "data" | "binaryData"> {
  const entries = contentOf(values).entries();
  return {
    data: entries.filter(({ kind }) => kind === "text"),
    binaryData: entries.filter(({ kind }) => kind === "binary"),
  };
}

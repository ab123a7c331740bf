import { DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE, MAX_VERSIONS } from "../contract/limits.ts";
import type { MapEntry } from "../contract/map-field.ts";
import * as wire from "../contract/messages.ts";
import { Content, type ContentEntry } from "../domain/content.ts";
import { invalidField } from "../domain/errors.ts";
import type { Call, ListPermit, ListedSecret, Permit, SecretsEngine } from "../engine/secrets-engine.ts";
import { type StoredSecret, type Version, lastChange, newest } from "../store/secret.ts";
import type { Connection } from "../admission/connection.ts";
import type { UnaryMethod } from "./unary.ts";

/** The methods of coffer.v1.Secrets by name. Each checks the request, calls the engine, and creates the response. */
export interface SecretsMethods {
  readonly Put: UnaryMethod<wire.PutRequest, wire.PutResponse, Permit>;
  readonly Get: UnaryMethod<wire.GetRequest, wire.GetResponse, Permit>;
  readonly Delete: UnaryMethod<wire.DeleteRequest, wire.DeleteResponse, Permit>;
  readonly List: UnaryMethod<wire.ListRequest, wire.ListResponse, ListPermit>;
  readonly Describe: UnaryMethod<wire.DescribeRequest, wire.DescribeResponse, Permit>;
}

/** The names of the methods. Calls are counted by the position of their method here. */
export const METHODS = [
  "Put",
  "Get",
  "Delete",
  "List",
  "Describe",
] as const satisfies readonly (keyof SecretsMethods)[];

/**
 * Creates the methods over an engine. `maxContentBytes` bounds the total size of the keys and values of one version.
 */
export function secretsMethods(engine: SecretsEngine, maxContentBytes: number): SecretsMethods {
  return {
    Put: {
      request: wire.putRequest,
      response: wire.putResponse,
      ...onPath(engine, "Put"),
      hasLargeAnswer: false,
      handle: (permit, { path, data, binaryData, expectedVersion }) => {
        const content = Content.parse([...entries("text", data), ...entries("binary", binaryData)], maxContentBytes);
        const put = engine.put(permit, content, expectedVersion);
        return put.then(({ version, revision, createTime }) => ({ path, version, revision, createTime }));
      },
      wipe: ({ data, binaryData }) => wipeValues(data, binaryData),
    },
    Get: {
      request: wire.getRequest,
      response: wire.getResponse,
      ...onPath(engine, "Get"),
      hasLargeAnswer: true,
      handle: (permit, { path, version }) => {
        const opened = engine.get(permit, version);
        const { number, createTime, revision } = opened.version;
        return { path, version: number, ...split(opened.content), createTime, revision };
      },
      wipe: (_request, response) => response && wipeValues(response.data, response.binaryData),
    },
    Delete: {
      request: wire.deleteRequest,
      response: wire.deleteResponse,
      ...onPath(engine, "Delete"),
      hasLargeAnswer: false,
      handle: async (permit, { path, versions, expectedVersion }) => {
        checkDelete(versions, expectedVersion);
        return { path, ...(await engine.delete(permit, versions, expectedVersion)) };
      },
    },
    List: {
      request: wire.listRequest,
      response: wire.listResponse,
      target: { number: 1, name: "prefix", of: ({ prefix }) => prefix },
      permit: (caller, prefix) => engine.permitList(caller, prefix),
      hasLargeAnswer: true,
      handle: async (permit, { pageSize, pageToken }, isOver) => {
        const question = { pageSize: effectivePageSize(pageSize), pageToken };
        const { secrets, nextPageToken } = await engine.list(permit, question, isOver);
        return { entries: secrets.map(listEntry), nextPageToken };
      },
    },
    Describe: {
      request: wire.describeRequest,
      response: wire.describeResponse,
      ...onPath(engine, "Describe"),
      hasLargeAnswer: false,
      handle: (permit) => description(engine.describe(permit)),
    },
  };
}

/** The target and permit of a method on one secret, whose request begins with the path. */
function onPath(engine: SecretsEngine, call: Exclude<Call, "List">) {
  return {
    target: { number: 1, name: "path", of: ({ path }: { readonly path: string }) => path },
    permit: (caller: Connection, path: string) => engine.permit(caller, call, path),
  };
}

function entries(kind: ContentEntry["kind"], map: readonly MapEntry[]): ContentEntry[] {
  return map.map(({ key, value }) => ({ kind, key, value }));
}

function wipeValues(...maps: readonly (readonly MapEntry[])[]): void {
  for (const { value } of maps.flat()) value.fill(0);
}

function split(content: Content): { data: readonly MapEntry[]; binaryData: readonly MapEntry[] } {
  const data: MapEntry[] = [];
  const binaryData: MapEntry[] = [];
  for (const entry of content.entries()) (entry.kind === "text" ? data : binaryData).push(entry);
  return { data, binaryData };
}

function checkDelete(versions: readonly number[], expectedVersion: number | undefined): void {
  if (versions.includes(0)) throw invalidField("versions", "contains 0; versions start at 1");
  if (expectedVersion === 0)
    throw invalidField("expected_version", "is 0; a secret that was never written can't be deleted");
}

function effectivePageSize(pageSize: number): number {
  if (pageSize < 0) throw invalidField("page_size", "is negative");
  return pageSize === 0 ? DEFAULT_PAGE_SIZE : Math.min(pageSize, MAX_PAGE_SIZE);
}

/** A caller that may not describe a secret gets only its path. */
function listEntry({ path, described }: ListedSecret): wire.ListEntry {
  if (described === undefined) return { path, latestVersion: 0, updateTime: undefined };
  return { path, latestVersion: newest(described).number, updateTime: lastChange(described).time };
}

function description(secret: StoredSecret): wire.DescribeResponse {
  const { path, versions } = secret;
  return {
    path,
    versions: versions.map(versionDescription),
    latestVersion: newest(secret).number,
    maxVersions: MAX_VERSIONS,
  };
}

function versionDescription({ number, state, createTime, createdBy, revision }: Version): wire.VersionDescription {
  const deletion =
    state.kind === "deleted"
      ? { state: wire.VersionState.deleted, deleteTime: state.time, deletedBy: state.by }
      : { state: wire.VersionState.live, deleteTime: undefined, deletedBy: "" };
  return { version: number, createTime, createdBy, revision, ...deletion };
}

import { DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE } from "../contract/limits.ts";
import type { MapEntry } from "../contract/map-field.ts";
import type { Codec } from "../contract/message.ts";
import * as wire from "../contract/messages.ts";
import { checkKeys } from "../domain/content.ts";
import { invalidField } from "../domain/errors.ts";
import { checkLabels } from "../domain/labels.ts";
import { parseRequestId } from "../domain/request-id.ts";
import { parseSecretPath } from "../domain/secret-path.ts";
import type { ListPermit, ListQuestion } from "../engine/list-page.ts";
import type { CallPermits, PathCall } from "../engine/permits.ts";
import type { ChangeAnswer, SecretsEngine } from "../engine/secrets-engine.ts";
import { type ChangeRequests, toOperation } from "./change-requests.ts";
import { permittedCommit } from "./commit-request.ts";
import * as answer from "./secret-answers.ts";
import type { UnaryMethod } from "./unary.ts";

/** The methods of coffer.v1.Secrets by name. Each checks the request, calls the engine, and creates the response. */
export interface SecretsMethods {
  readonly Put: UnaryMethod<wire.PutRequest, wire.PutResponse, CallPermits>;
  readonly Get: UnaryMethod<wire.GetRequest, wire.GetResponse, CallPermits>;
  readonly Delete: UnaryMethod<wire.DeleteRequest, wire.DeleteResponse, CallPermits>;
  readonly List: UnaryMethod<wire.ListRequest, wire.ListResponse, ListPermit>;
  readonly Describe: UnaryMethod<wire.DescribeRequest, wire.DescribeResponse, CallPermits>;
  readonly Patch: UnaryMethod<wire.PatchRequest, wire.PatchResponse, CallPermits>;
  readonly Undelete: UnaryMethod<wire.UndeleteRequest, wire.UndeleteResponse, CallPermits>;
  readonly Destroy: UnaryMethod<wire.DestroyRequest, wire.DestroyResponse, CallPermits>;
  readonly Restore: UnaryMethod<wire.RestoreRequest, wire.RestoreResponse, CallPermits>;
  readonly Copy: UnaryMethod<wire.CopyRequest, wire.CopyResponse, CallPermits>;
  readonly Purge: UnaryMethod<wire.PurgeRequest, wire.PurgeResponse, CallPermits>;
  readonly Metadata: UnaryMethod<wire.MetadataRequest, wire.MetadataResponse, CallPermits>;
  readonly Commit: UnaryMethod<wire.CommitRequest, wire.CommitResponse, CallPermits>;
  readonly BatchGet: UnaryMethod<wire.BatchGetRequest, wire.BatchGetResponse, CallPermits>;
}

/** The names of the methods. Calls are counted by the position of their method here. */
export const METHODS = [
  "Put",
  "Get",
  "Delete",
  "List",
  "Describe",
  "Patch",
  "Undelete",
  "Destroy",
  "Restore",
  "Copy",
  "Purge",
  "Metadata",
  "Commit",
  "BatchGet",
] as const satisfies readonly (keyof SecretsMethods)[];

/**
 * Creates the methods over an engine. `maxContentBytes` bounds the total size of the keys and values of one version, and
 * of all operations of one Commit.
 */
export function secretsMethods(engine: SecretsEngine, maxContentBytes: number): SecretsMethods {
  return { ...readMethods(engine), ...changeMethods(engine, maxContentBytes) };
}

type ReadMethod = "Get" | "List" | "Describe" | "BatchGet";

function readMethods(engine: SecretsEngine): Pick<SecretsMethods, ReadMethod> {
  return {
    Get: {
      request: wire.getRequest,
      response: wire.getResponse,
      target: PATH,
      permit: (caller, path) => engine.permitPath(caller, "Get", path),
      hasLargeAnswer: true,
      handle: (permits, { path, ...query }) => {
        checkKeys("keys", query.keys);
        return answer.gotSecret(path, engine.get(permits.permit("read", parseSecretPath(path)), query));
      },
      wipe: (_request, response) => response && wipeContent(response),
    },
    List: {
      request: wire.listRequest,
      response: wire.listResponse,
      target: { number: 1, name: "prefix", of: ({ prefix }) => prefix },
      permit: (caller, prefix) => engine.permitList(caller, prefix),
      hasLargeAnswer: true,
      handle: async (permit, request, isOver) => answer.listed(await engine.list(permit, questionOf(request), isOver)),
    },
    Describe: {
      request: wire.describeRequest,
      response: wire.describeResponse,
      target: PATH,
      permit: (caller, path) => engine.permitPath(caller, "Describe", path),
      hasLargeAnswer: true,
      handle: (permits, { path }) =>
        answer.description(engine.describe(permits.permit("describe", parseSecretPath(path)))),
    },
    BatchGet: {
      request: wire.batchGetRequest,
      response: wire.batchGetResponse,
      target: undefined,
      permit: (caller) => engine.permitAnywhere(caller, "BatchGet"),
      hasLargeAnswer: true,
      handle: (permits, { paths, minRevision }) => {
        if (paths.length === 0) throw invalidField("paths", "is empty");
        return answer.gotSecrets(engine.batchGet(permits, paths, minRevision));
      },
      wipe: (_request, response) => response && wipeEntries(response.entries),
    },
  };
}

function changeMethods(engine: SecretsEngine, maxContentBytes: number): Omit<SecretsMethods, ReadMethod> {
  /** The method of one change: its call and kind, its messages, and how its answer becomes a response. */
  const change = <K extends keyof ChangeRequests, Response>(
    call: PathCall,
    kind: K,
    request: Codec<ChangeRequests[K]>,
    response: Codec<Response>,
    toResponse: (path: string, answer: ChangeAnswer) => Response,
  ): Omit<UnaryMethod<ChangeRequests[K], Response, CallPermits>, "target"> => ({
    request,
    response,
    permit: (caller, path) => engine.permitPath(caller, call, path),
    hasLargeAnswer: false,
    handle: async (permits, message) => {
      const operation = toOperation[kind](permits, message, maxContentBytes);
      return toResponse(operation.path, await engine.change(operation, parseRequestId(message.requestId)));
    },
  });
  const { addedVersion, changedVersions } = answer;
  const put = change("Put", "put", wire.putRequest, wire.putResponse, addedVersion);
  const patch = change("Patch", "patch", wire.patchRequest, wire.patchResponse, addedVersion);
  const source = { number: 1, name: "source", of: ({ source }: wire.CopyRequest) => source };
  return {
    Put: { target: PATH, ...put, wipe: wipeContent },
    Patch: { target: PATH, ...patch, wipe: wipeContent },
    Delete: { target: PATH, ...change("Delete", "delete", wire.deleteRequest, wire.deleteResponse, changedVersions) },
    Undelete: {
      target: PATH,
      ...change("Undelete", "undelete", wire.undeleteRequest, wire.undeleteResponse, changedVersions),
    },
    Destroy: {
      target: PATH,
      ...change("Destroy", "destroy", wire.destroyRequest, wire.destroyResponse, changedVersions),
    },
    Restore: { target: PATH, ...change("Restore", "restore", wire.restoreRequest, wire.restoreResponse, addedVersion) },
    Copy: { target: source, ...change("Copy", "copy", wire.copyRequest, wire.copyResponse, addedVersion) },
    Purge: { target: PATH, ...change("Purge", "purge", wire.purgeRequest, wire.purgeResponse, answer.purged) },
    Metadata: {
      target: PATH,
      ...change("Metadata", "metadata", wire.metadataRequest, wire.metadataResponse, answer.changedSettings),
    },
    Commit: {
      request: wire.commitRequest,
      response: wire.commitResponse,
      target: undefined,
      permit: (caller) => engine.permitAnywhere(caller, "Commit"),
      hasLargeAnswer: false,
      handle: async (permits, request) => {
        const { operations, guards, requestId } = permittedCommit(permits, request, maxContentBytes);
        return answer.committed(operations, await engine.commit(operations, guards, requestId));
      },
      wipe: ({ operations }) => wipeOperations(operations),
    },
  };
}

/** The first field of every request on one secret, except that of a Copy. */
const PATH = { number: 1, name: "path", of: ({ path }: { readonly path: string }) => path };

function questionOf({ pageSize, pageToken, delimiter, labels, showDeleted }: wire.ListRequest): ListQuestion {
  if (delimiter !== "" && delimiter !== "/") throw invalidField("delimiter", 'is neither empty nor "/"');
  checkLabels("labels", labels);
  return { pageSize: effectivePageSize(pageSize), pageToken, isFolded: delimiter === "/", labels, showDeleted };
}

function effectivePageSize(pageSize: number): number {
  if (pageSize < 0) throw invalidField("page_size", "is negative");
  return pageSize === 0 ? DEFAULT_PAGE_SIZE : Math.min(pageSize, MAX_PAGE_SIZE);
}

/** The maps of secret values that a message can have. */
interface SecretValues {
  readonly data: readonly MapEntry[];
  readonly binaryData: readonly MapEntry[];
}

function wipeContent({ data, binaryData }: SecretValues): void {
  for (const { value } of [...data, ...binaryData]) value.fill(0);
}

function wipeEntries(entries: readonly wire.BatchGetEntry[]): void {
  for (const { result } of entries) if (result?.kind === "secret") wipeContent(result.value);
}

function wipeOperations(operations: readonly wire.CommitOperation[]): void {
  for (const { change } of operations) {
    if (change?.kind === "put" || change?.kind === "patch") wipeContent(change.value);
  }
}

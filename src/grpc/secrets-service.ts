import { DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE } from "../contract/limits.ts";
import type { MapEntry } from "../contract/map-field.ts";
import type { LeadingField } from "../contract/leading-string.ts";
import type { Codec } from "../contract/message.ts";
import * as wire from "../contract/messages.ts";
import { checkKeys } from "../domain/content.ts";
import { invalidField } from "../domain/errors.ts";
import { checkLabels } from "../domain/labels.ts";
import { parseRequestId } from "../domain/request-id.ts";
import type { ListPermit, ListQuestion } from "../engine/list-page.ts";
import type { CallPermits, ChangeCall, Permit } from "../engine/permits.ts";
import type { ChangeAnswer, SecretsEngine } from "../engine/secrets-engine.ts";
import { type ChangeRequests, toOperation } from "./change-requests.ts";
import { permittedCommit } from "./commit-request.ts";
import * as answer from "./secret-answers.ts";
import { reportOf } from "./report-request.ts";
import type { UnaryMethod } from "./unary.ts";

/** The methods of coffer.v1.Secrets by name. Each checks the request, calls the engine, and creates the response. */
export interface SecretsMethods {
  readonly Put: UnaryMethod<wire.PutRequest, wire.PutResponse, CallPermits>;
  readonly Get: UnaryMethod<wire.GetRequest, wire.GetResponse, Permit<"read">>;
  readonly Delete: UnaryMethod<wire.DeleteRequest, wire.DeleteResponse, CallPermits>;
  readonly List: UnaryMethod<wire.ListRequest, wire.ListResponse, ListPermit>;
  readonly Describe: UnaryMethod<wire.DescribeRequest, wire.DescribeResponse, Permit<"describe">>;
  readonly Patch: UnaryMethod<wire.PatchRequest, wire.PatchResponse, CallPermits>;
  readonly Undelete: UnaryMethod<wire.UndeleteRequest, wire.UndeleteResponse, CallPermits>;
  readonly Destroy: UnaryMethod<wire.DestroyRequest, wire.DestroyResponse, CallPermits>;
  readonly Restore: UnaryMethod<wire.RestoreRequest, wire.RestoreResponse, CallPermits>;
  readonly Copy: UnaryMethod<wire.CopyRequest, wire.CopyResponse, CallPermits>;
  readonly Purge: UnaryMethod<wire.PurgeRequest, wire.PurgeResponse, CallPermits>;
  readonly Metadata: UnaryMethod<wire.MetadataRequest, wire.MetadataResponse, CallPermits>;
  readonly Commit: UnaryMethod<wire.CommitRequest, wire.CommitResponse, CallPermits>;
  readonly BatchGet: UnaryMethod<wire.BatchGetRequest, wire.BatchGetResponse, CallPermits>;
  readonly Report: UnaryMethod<wire.ReportRequest, wire.ReportResponse, Permit<"watch">>;
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
  "Watch",
  "Report",
] as const satisfies readonly (keyof SecretsMethods | "Watch")[];

/**
 * Creates the methods over an engine. `maxContentBytes` bounds the total size of the keys and values of one version, and
 * of all operations of one Commit.
 */
export function secretsMethods(engine: SecretsEngine, maxContentBytes: number): SecretsMethods {
  return { ...readMethods(engine), ...changeMethods(engine, maxContentBytes) };
}

type ReadMethod = "Get" | "List" | "Describe" | "BatchGet" | "Report";

function readMethods(engine: SecretsEngine): Pick<SecretsMethods, ReadMethod> {
  return {
    Get: {
      request: wire.getRequest,
      response: wire.getResponse,
      target: PATH,
      permit: (caller, path) => engine.permitGet(caller, path),
      hasLargeAnswer: true,
      handle: (permit, request) => {
        checkKeys("keys", request.keys);
        return answer.gotSecret(request.path, engine.get(permit, request));
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
      permit: (caller, path) => engine.permitDescribe(caller, path),
      hasLargeAnswer: true,
      handle: async (permit) => answer.description(await engine.describe(permit)),
    },
    Report: {
      request: wire.reportRequest,
      response: wire.reportResponse,
      target: PATH,
      permit: (caller, path) => engine.permitReport(caller, path),
      hasLargeAnswer: false,
      handle: async (permit, request) => {
        await engine.report(permit, reportOf(request));
        return {};
      },
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
  const method = <K extends keyof ChangeRequests, Response>(
    call: ChangeCall,
    { kind, target, ...messages }: Change<K, Response>,
  ): UnaryMethod<ChangeRequests[K], Response, CallPermits> => ({
    target,
    request: messages.request,
    response: messages.response,
    permit: (caller, path) => engine.permitChange(caller, call, path, target.name),
    hasLargeAnswer: false,
    handle: (permits, request) => {
      const operation = toOperation[kind](permits, request, maxContentBytes);
      const changed = engine.change(operation, parseRequestId(request.requestId));
      return changed.then((result) => messages.answer(operation.path, result));
    },
  });
  return {
    Put: { ...method("Put", CHANGES.put), wipe: wipeContent },
    Patch: { ...method("Patch", CHANGES.patch), wipe: wipeContent },
    Delete: method("Delete", CHANGES.delete),
    Undelete: method("Undelete", CHANGES.undelete),
    Destroy: method("Destroy", CHANGES.destroy),
    Restore: method("Restore", CHANGES.restore),
    Copy: method("Copy", CHANGES.copy),
    Purge: method("Purge", CHANGES.purge),
    Metadata: method("Metadata", CHANGES.metadata),
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

/** The messages of a change, and how its answer becomes a response. */
interface Change<K extends keyof ChangeRequests, Response> {
  /** The name of its field in Operation. */
  readonly kind: K;
  readonly target: LeadingField & { readonly of: (request: ChangeRequests[K]) => string };
  readonly request: Codec<ChangeRequests[K]>;
  readonly response: Codec<Response>;
  readonly answer: (path: string, answer: ChangeAnswer) => Response;
}

/** The first field of every request on one secret, except that of a Copy. */
const PATH = { number: 1, name: "path", of: ({ path }: { readonly path: string }) => path };

const SOURCE = { number: 1, name: "source", of: ({ source }: wire.CopyRequest) => source };

const CHANGES = {
  put: {
    kind: "put",
    target: PATH,
    request: wire.putRequest,
    response: wire.putResponse,
    answer: answer.addedVersion,
  },
  patch: {
    kind: "patch",
    target: PATH,
    request: wire.patchRequest,
    response: wire.patchResponse,
    answer: answer.addedVersion,
  },
  delete: {
    kind: "delete",
    target: PATH,
    request: wire.deleteRequest,
    response: wire.deleteResponse,
    answer: answer.changedVersions,
  },
  undelete: {
    kind: "undelete",
    target: PATH,
    request: wire.undeleteRequest,
    response: wire.undeleteResponse,
    answer: answer.changedVersions,
  },
  destroy: {
    kind: "destroy",
    target: PATH,
    request: wire.destroyRequest,
    response: wire.destroyResponse,
    answer: answer.changedVersions,
  },
  restore: {
    kind: "restore",
    target: PATH,
    request: wire.restoreRequest,
    response: wire.restoreResponse,
    answer: answer.addedVersion,
  },
  copy: {
    kind: "copy",
    target: SOURCE,
    request: wire.copyRequest,
    response: wire.copyResponse,
    answer: answer.addedVersion,
  },
  purge: {
    kind: "purge",
    target: PATH,
    request: wire.purgeRequest,
    response: wire.purgeResponse,
    answer: answer.purged,
  },
  metadata: {
    kind: "metadata",
    target: PATH,
    request: wire.metadataRequest,
    response: wire.metadataResponse,
    answer: answer.changedSettings,
  },
} as const;

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

import { inspect } from "node:util";
import type {
  CommitGuard,
  CommitRequest,
  CommitResponse,
  CommitResult,
  OperationChange,
} from "../contract/messages.ts";
import type { GuardedSecret, CommitOptions } from "./call-options.ts";
import { ClientError, invalidOption } from "./client-error.ts";
import { type NamesOf, checkOptions } from "./known-options.ts";
import * as operations from "./operations.ts";
import { listOf, versionOf } from "./request-fields.ts";
import * as requests from "./call-requests.ts";
import { textOf } from "./values.ts";

const GUARD: NamesOf<GuardedSecret> = { path: true, expectedVersion: true };

/** The request of a Commit. An error of an argument begins with the index of the operation or guard. */
export function commitRequestOf(
  list: readonly operations.ChangeOperation[],
  { guards = [] }: CommitOptions,
): CommitRequest {
  return {
    operations: listOf("operations", list).map((operation, index) => ({
      change: at(`operations[${index}]`, () => changeOf(operation)),
    })),
    guards: listOf("guards", guards).map((guard, index) => at(`guards[${index}]`, () => guardOf(guard))),
    requestId: "",
  };
}

/** The answer to a Commit of these operations. */
export function readCommit<Operations extends readonly operations.ChangeOperation[]>(
  list: Operations,
  { results, ...answer }: CommitResponse,
): operations.Committed<Operations> {
  const read = list.map(({ kind }, index) => resultOf(kind, results[index] ?? NO_RESULT));
  return { ...answer, results: read as operations.Committed<Operations>["results"] };
}

/** Stands in for a missing result. A server returns a result for every operation. */
const NO_RESULT: CommitResult = { path: "", versions: [], expireTime: undefined };

function resultOf(
  kind: operations.ChangeOperation["kind"],
  { path, versions, expireTime }: CommitResult,
): operations.OperationOutcome {
  const last = versions.at(-1) ?? 0;
  switch (kind) {
    case "put":
    case "patch":
    case "restore":
    case "copy":
      return { kind: "added", path, version: last, expireTime };
    case "delete":
    case "undelete":
    case "destroy":
      return { kind: "versions", path, versions };
    case "purge":
      return { kind: "purged", path, lastVersion: last };
    case "metadata":
      return { kind: "settings", path };
  }
}

function changeOf(operation: operations.ChangeOperation): OperationChange {
  const kind = operation?.kind;
  if (!Object.hasOwn(operations.OPERATION_NAMES, kind))
    throw invalidOption(
      `kind is ${inspect(kind)}; expected one of ${Object.keys(operations.OPERATION_NAMES).join(", ")}`,
    );
  checkOptions<object>(operation, operations.OPERATION_NAMES[kind], "property");
  switch (operation.kind) {
    case "put":
      return { kind: "put", value: requests.putRequestOf(operation) };
    case "patch":
      return { kind: "patch", value: requests.patchRequestOf(operation) };
    case "delete":
    case "destroy":
      return { kind: operation.kind, value: requests.removalRequestOf(operation) };
    case "undelete":
      return { kind: "undelete", value: requests.versionsRequestOf(operation) };
    case "restore":
      return { kind: "restore", value: requests.restoreRequestOf(operation) };
    case "copy":
      return { kind: "copy", value: requests.copyRequestOf(operation) };
    case "purge":
      return { kind: "purge", value: requests.purgeRequestOf(operation) };
    case "metadata":
      return { kind: "metadata", value: requests.metadataRequestOf(operation) };
  }
}

function guardOf(guard: GuardedSecret): CommitGuard {
  const { path, expectedVersion } = checkOptions(guard, GUARD, "property");
  if (expectedVersion === undefined) throw invalidOption("expectedVersion is required");
  return { path: textOf("path", path), expectedVersion: versionOf("expectedVersion", expectedVersion) };
}

function at<Value>(place: string, read: () => Value): Value {
  try {
    return read();
  } catch (error) {
    if (error instanceof ClientError) throw invalidOption(`${place}: ${error.message}`);
    throw error;
  }
}

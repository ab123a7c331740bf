import type * as wire from "../contract/messages.ts";
import { CofferError, invalidField } from "../domain/errors.ts";
import { type CommitPart, errorOfPart } from "../domain/operation-errors.ts";
import { parseRequestId } from "../domain/request-id.ts";
import { type PermittedGuard, type PermittedOperation, permitted } from "../engine/permitted.ts";
import type { CallPermits } from "../engine/permits.ts";
import { toOperation } from "./change-requests.ts";

/** A Commit whose operations and guards are checked and authorized. */
export interface PermittedCommit {
  readonly operations: readonly PermittedOperation[];
  readonly guards: readonly PermittedGuard[];
  readonly requestId: string | undefined;
}

/** Checks and authorizes each part of a Commit. Throws the error of the first part that is refused, with its index. */
export function permittedCommit(
  permits: CallPermits,
  { operations, guards, requestId }: wire.CommitRequest,
  maxContentBytes: number,
): PermittedCommit {
  if (operations.length === 0) throw invalidField("operations", "is empty; a Commit has at least one operation");
  const id = parseRequestId(requestId);
  const permittedOperations = operations.map(({ change }, index) =>
    asPart({ part: "operation", index, kind: change?.kind ?? "" }, () => operationOf(permits, change, maxContentBytes)),
  );
  const permittedGuards = guards.map((guard, index) =>
    asPart({ part: "guard", index, kind: "" }, () => guardOf(permits, guard)),
  );
  return { operations: permittedOperations, guards: permittedGuards, requestId: id };
}

function operationOf(
  permits: CallPermits,
  change: wire.OperationChange | undefined,
  maxContentBytes: number,
): PermittedOperation {
  if (change === undefined) throw invalidField("change", "is not set, or is a change that this server does not know");
  if (change.value.requestId !== "")
    throw invalidField("request_id", "is set in an operation; only that of the Commit can be set");
  // The request has the type of its kind, which TypeScript does not relate to the kind of the function.
  return toOperation[change.kind](permits, change.value as never, maxContentBytes);
}

function guardOf(permits: CallPermits, { path, expectedVersion }: wire.CommitGuard): PermittedGuard {
  return permitted.guard(permits.permitText("read", path), expectedVersion);
}

function asPart<T>(part: CommitPart, make: () => T): T {
  try {
    return make();
  } catch (error) {
    throw error instanceof CofferError ? errorOfPart(error, part) : error;
  }
}

import {
  CofferError,
  limitExceeded,
  noSpaceForRequestId,
  requestIdReused,
  requestIdsFull,
  storeFull,
} from "../domain/errors.ts";
import type { SecretPath } from "../domain/secret-path.ts";
import type { Sealer } from "../sealing/sealer.ts";
import type { Planning } from "./addition.ts";
import { type ChangeAuthorization, requiredBy } from "./change-authorization.ts";
import type { ChangeCommand, ChangeResult, OperationCommand, OperationResult } from "./command.ts";
import { planCopy, planPatch, planPut } from "./content-operations.ts";
import { type Draft, Fork } from "./draft.ts";
import { expectLatest } from "./expectation.ts";
import type { AnsweredRequest, RequestChange } from "./journal.ts";
import type { Revision } from "./revision.ts";
import type { ReadableMemory } from "./memory.ts";
import { planMetadata } from "./metadata-operation.ts";
import { overwritePlaintexts } from "./plaintexts.ts";
import { requestDigest } from "./request-digest.ts";
import { type RequestTable, requestBytes } from "./request-table.ts";
import { planPurge, planVersions } from "./state-operations.ts";
import type { Plan, Submission } from "./submission.ts";
import type { WatcherVersions } from "./watch-registry.ts";

/** The limits of commands. */
export interface ChangeLimits {
  /** The maximum size of the store in bytes of memory. A command that adds content or settings must not exceed it. */
  readonly maxStoreBytes: number;
  /** The maximum size of a content in bytes, keys and values together. */
  readonly maxContentBytes: number;
  /** The maximum number of operations in the remembered requests of one caller. */
  readonly maxRequestIds: number;
}

/** What a {@link ChangeSubmission} needs. */
export interface SubmissionOptions extends ChangeLimits {
  readonly sealer: Sealer;
  readonly requests: RequestTable;
  /** Which versions the watchers use. */
  readonly watchers: WatcherVersions;
  readonly authorize: ChangeAuthorization;
}

// The cost of looking up a secret or a version that a command names, in bytes: it takes as long as sealing so many bytes.
// Without it, thousands of Commits that change nothing, such as Deletes of deleted versions, would be one group.
const LOOKUP_WORK = 128;

/** A command of a caller, whose operations become durable together or not at all. */
export class ChangeSubmission implements Submission<ChangeResult> {
  readonly #command: ChangeCommand;
  readonly #options: SubmissionOptions;
  /** Whether the command removes content, also if it is a repetition of one that did. */
  readonly #waitsForErasure: boolean;
  #digest: Buffer | undefined;

  constructor(command: ChangeCommand, options: SubmissionOptions) {
    this.#command = command;
    this.#options = options;
    this.#waitsForErasure = command.operations.some(({ kind }) => kind === "destroy" || kind === "purge");
  }

  get author(): string {
    return this.#command.author;
  }

  plan(draft: Draft): Plan<ChangeResult> {
    draft.spend(LOOKUP_WORK * lookups(this.#command));
    this.#authorize();
    return this.#repetition(draft) ?? this.#firstTime(draft);
  }

  end(): void {
    overwritePlaintexts(this.#command);
  }

  /** The call was authorized before the command waited in the queue. The policy can have changed since then. */
  #authorize(): void {
    const { author, operations, guards } = this.#command;
    const check = this.#options.authorize(author);
    for (const [index, operation] of operations.entries())
      for (const needed of requiredBy(operation)) attempt("operation", index, () => check(...needed));
    for (const [index, { path }] of guards.entries()) attempt("guard", index, () => check("read", path));
  }

  /** Undefined if the command has no request_id, or one that is not remembered. */
  #repetition(draft: Draft): Plan<ChangeResult> | undefined {
    const { author, requestId } = this.#command;
    if (requestId === undefined) return undefined;
    this.#digest ??= requestDigest(this.#command, this.#options.sealer);
    const { requests, maxRequestIds } = this.#options;
    const known = draft.findRequest(author, requestId);
    if (known === undefined && draft.requestedOperationsOf(author) >= maxRequestIds)
      throw requestIdsFull(maxRequestIds);
    if (known === undefined) return undefined;
    if (known.digest !== this.#digest.toString("latin1")) throw requestIdReused();
    // When the group is published, the table has the revision of a request that is part of this group. A sweep in the same
    // group can have removed an older request from the table. `known` has its answer.
    const answer = () => (requests.find(author, requestId) ?? known).answer;
    return { kind: "unchanged", waitsForErasure: this.#waitsForErasure, answer };
  }

  #firstTime(draft: Draft): Plan<ChangeResult> {
    const fork = new Fork(draft, this.#command.author);
    try {
      this.#checkGuards(draft);
      const results = this.#planOperations(fork);
      this.#checkSize(draft, fork, results);
      return this.#accept(draft, fork, results);
    } catch (refusal) {
      fork.drop();
      throw refusal;
    }
  }

  #checkGuards(draft: Draft): void {
    this.#command.guards.forEach(({ path, expectedVersion }, index) => {
      attempt("guard", index, () => expectLatest(draft.get(path), path, expectedVersion));
    });
  }

  #planOperations(fork: Fork): readonly OperationResult[] {
    const { operations } = this.#command;
    const { sealer, maxContentBytes, watchers } = this.#options;
    const unplannedAdditions = operations.filter(addsVersion).length;
    const planning: Planning = { fork, sealer, maxContentBytes, unplannedAdditions, addedBytes: 0 };
    return operations.map((operation, index) => {
      const result = attempt("operation", index, () => planOne(planning, operation, watchers));
      if (index > 0) checkContents(planning, index);
      return result;
    });
  }

  /**
   * Operations that remove something are never refused, even if they let the store grow by a few bytes. Only their request
   * id can be: otherwise, repeated Deletes with new ids would fill the memory beyond the limit.
   */
  #checkSize(draft: Draft, fork: Fork, results: readonly OperationResult[]): void {
    const { operations, requestId } = this.#command;
    const { maxStoreBytes } = this.#options;
    const forRequest = requestId === undefined ? 0 : requestBytes(results);
    const isFull = draft.bytes + forRequest > maxStoreBytes;
    if (!isFull || fork.growth + forRequest <= 0) return;
    if (operations.some(addsBytes)) throw storeFull(maxStoreBytes);
    if (requestId !== undefined) throw noSpaceForRequestId(maxStoreBytes);
  }

  #accept(draft: Draft, { changes }: Fork, results: readonly OperationResult[]): Plan<ChangeResult> {
    const { time } = draft;
    const { requestId } = this.#command;
    const waitsForErasure = this.#waitsForErasure;
    const path = changes.length === 0 ? this.#onlyPath() : undefined;
    if (changes.length === 0 && requestId === undefined) {
      const answer = (memory: ReadableMemory) => {
        const revision = path === undefined ? undefined : lastRevision(memory, path);
        return { revision: revision ?? memory.revision, time, results };
      };
      return { kind: "unchanged", waitsForErasure, answer };
    }
    // If the last change is a part of the same group, its revision is not known before the commit.
    const revision = path === undefined || draft.isChanged(path) ? undefined : lastRevision(draft, path);
    const requests = requestId === undefined ? undefined : this.#remember(draft, requestId, { results, revision });
    const answer = (own: Revision) => ({ revision: revision ?? own, time, results });
    return { kind: "change", waitsForErasure, entry: { changes, requests }, answer };
  }

  /** The path of a command with one operation. */
  #onlyPath(): SecretPath | undefined {
    const { operations } = this.#command;
    return operations.length === 1 ? operations[0]?.path : undefined;
  }

  #remember(draft: Draft, id: string, answer: Pick<AnsweredRequest, "results" | "revision">): RequestChange {
    if (this.#digest === undefined) throw new Error("a request without a digest");
    const request = { caller: this.#command.author, id, digest: this.#digest, time: draft.time, ...answer };
    draft.remember(request);
    return { kind: "remember", request };
  }
}

/** The number of secrets and versions that a command names. */
function lookups({ operations, guards }: ChangeCommand): number {
  const versions = operations.map((operation) => ("versions" in operation ? operation.versions.length : 0));
  return versions.reduce((sum, count) => sum + 1 + count, guards.length);
}

/** The revision of the last change of a path; undefined if nothing is stored for it. */
function lastRevision(secrets: Pick<ReadableMemory, "get">, path: SecretPath): Revision | undefined {
  return secrets.get(path)?.revision;
}

/**
 * Several operations add at most as much content together as one Put can. Otherwise, a small request with many Copies
 * would create an entry of a hundred times that size.
 */
function checkContents({ addedBytes, maxContentBytes }: Planning, index: number): void {
  if (addedBytes <= maxContentBytes) return;
  throw limitExceeded("operations", maxContentBytes, "bytes", addedBytes, `the content of operations 0 to ${index}`);
}

function planOne(planning: Planning, operation: OperationCommand, watchers: WatcherVersions): OperationResult {
  switch (operation.kind) {
    case "put":
      return planPut(planning, operation);
    case "patch":
      return planPatch(planning, operation);
    case "copy":
      return planCopy(planning, operation);
    case "metadata":
      return planMetadata(planning.fork, operation);
    case "purge":
      return planPurge(planning.fork, operation);
    default:
      return planVersions(planning.fork, operation, watchers);
  }
}

function addsVersion({ kind }: OperationCommand): boolean {
  return kind === "put" || kind === "patch" || kind === "copy";
}

function addsBytes(operation: OperationCommand): boolean {
  return addsVersion(operation) || operation.kind === "metadata";
}

/** Adds to an error the index of the operation or guard that caused it. */
function attempt<T>(part: "operation" | "guard", index: number, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof CofferError)) throw error;
    const { reason, message, metadata, cause, retryDelayMs } = error;
    const options = retryDelayMs === undefined ? { cause } : { cause, retryDelayMs };
    throw new CofferError(reason, message, { ...metadata, [part]: String(index) }, options);
  }
}

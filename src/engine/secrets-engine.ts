import type { Authorizer } from "../authorization/authorizer.ts";
import { CofferError, revisionAhead } from "../domain/errors.ts";
import { errorOfOnly, errorOfPart, partOf } from "../domain/operation-errors.ts";
import { parsePathPrefix, parseSecretPath } from "../domain/secret-path.ts";
import type { Sealer } from "../sealing/sealer.ts";
import type { Principal } from "../spiffe/principal.ts";
import type { Changes } from "../store/changes.ts";
import type { ChangeCommand, ChangeResult } from "../store/command.ts";
import type { Reads, Snapshot } from "../store/reads.ts";
import { type StoredSecret, newest } from "../store/secret.ts";
import type { VersionReport, WatchRegistry, WatcherCount } from "../store/watch-registry.ts";
import { type BatchEntry, type GetQuery, type ReadSecret, readBatch, readSecret } from "./secret-reads.ts";
import { type ListAnswer, type ListPermit, type ListQuestion, findListPage } from "./list-page.ts";
import {
  ACTIONS_ANYWHERE,
  ACTIONS_OF_CHANGE,
  CallPermits,
  type Call,
  type ChangeCall,
  type Denial,
  type Permit,
} from "./permits.ts";
import type { PermittedGuard, PermittedOperation } from "./permitted.ts";

/** The options of a {@link SecretsEngine}. */
export interface EngineOptions {
  readonly secrets: Reads;
  readonly changes: Changes;
  readonly watchers: WatchRegistry;
  /** Seals page tokens. */
  readonly sealer: Sealer;
  /**
   * Brings `secrets` up to every change that any thread of the server has answered, and returns the current authorizer.
   * It is called once for each call, so a call is decided and answered as of one moment. A call that takes several turns of
   * the event loop is decided again at its end: see {@link SecretsEngine.list} and authorizeChanges.
   */
  readonly authorizer: () => Authorizer;
  readonly onDenied: (denial: Denial) => void;
}

/** The answer to a change. */
export interface ChangeAnswer extends ChangeResult {
  /** The revision of the store at which it was made. */
  readonly storeRevision: number;
}

/** The answer to a Get. */
export interface GetAnswer extends ReadSecret {
  readonly storeRevision: number;
}

/** The answer to a BatchGet. */
export interface BatchAnswer {
  readonly entries: readonly BatchEntry[];
  readonly storeRevision: number;
}

/** A secret as of a time and a revision of the store. */
export interface DescribedSecret {
  readonly secret: StoredSecret;
  /** How many of its watchers use its newest version. */
  readonly watchers: WatcherCount;
  /** Milliseconds since the epoch. It decides which versions have expired. */
  readonly time: number;
  readonly storeRevision: number;
}

/**
 * The actions of callers, and the only access to the store. A call is authorized first, and acts afterwards: each action
 * requires permits, or operations that were made from permits, so no action can run before its caller is authorized.
 */
export class SecretsEngine {
  readonly #options: EngineOptions;

  constructor(options: EngineOptions) {
    this.#options = options;
  }

  // ---- authorize

  /** Authorizes a Get. Throws ACCESS_DENIED, or INVALID_FIELD or LIMIT_EXCEEDED for the path. */
  permitGet(caller: Principal, text: string): Permit<"read"> {
    return this.#permits(caller, "Get").permitText("read", text);
  }

  /** Authorizes a Describe. Throws ACCESS_DENIED, or INVALID_FIELD or LIMIT_EXCEEDED for the path. */
  permitDescribe(caller: Principal, text: string): Permit<"describe"> {
    return this.#permits(caller, "Describe").permitText("describe", text);
  }

  /** Authorizes a Report. Throws ACCESS_DENIED, or INVALID_FIELD or LIMIT_EXCEEDED for the path. */
  permitReport(caller: Principal, text: string): Permit<"watch"> {
    return this.#permits(caller, "Report").permitText("watch", text);
  }

  /**
   * Authorizes a change by the path in its first field, which is named `field`. Throws ACCESS_DENIED, or INVALID_FIELD or
   * LIMIT_EXCEEDED for the path.
   */
  permitChange(caller: Principal, call: ChangeCall, text: string, field = "path"): CallPermits {
    const path = parseSecretPath(text, field);
    const permits = this.#permits(caller, call);
    for (const action of ACTIONS_OF_CHANGE[call]) permits.permit(action, path);
    return permits;
  }

  /**
   * Authorizes a call on several secrets as a whole. Throws ACCESS_DENIED if the caller may not perform any action of
   * the call ({@link ACTIONS_ANYWHERE}) on any secret. Each secret of the call has to be authorized by a permit.
   */
  permitAnywhere(caller: Principal, call: "Commit" | "BatchGet"): CallPermits {
    const permits = this.#permits(caller, call);
    permits.requireAnywhere(ACTIONS_ANYWHERE[call], "");
    return permits;
  }

  /**
   * Authorizes a List. Throws ACCESS_DENIED if no rule lets the caller list anything, or INVALID_FIELD or
   * LIMIT_EXCEEDED for the prefix.
   */
  permitList(caller: Principal, text: string): ListPermit {
    const prefix = parsePathPrefix(text);
    const permits = this.#permits(caller, "List");
    permits.requireAnywhere(ACTIONS_ANYWHERE.List, prefix);
    return { permits, prefix };
  }

  /**
   * Authorizes a Watch. A caller that may not watch any secret yet may start a watch, because each event is authorized
   * separately. Throws ACCESS_DENIED if the caller has the server's own SPIFFE ID.
   */
  permitWatch(caller: Principal): void {
    this.#permits(caller, "Watch").requireOtherThanServer(ACTIONS_ANYWHERE.Watch);
  }

  #permits(caller: Principal, call: Call): CallPermits {
    const { authorizer, onDenied } = this.#options;
    return new CallPermits({ caller, call, authorizer, onDenied });
  }

  // ---- act

  /** Performs one operation. */
  change(operation: PermittedOperation, requestId: string | undefined): Promise<ChangeAnswer> {
    return this.#change([operation], [], requestId, errorOfOnly);
  }

  /** Performs all operations of a Commit, or none. There is at least one. */
  commit(
    operations: readonly PermittedOperation[],
    guards: readonly PermittedGuard[],
    requestId: string | undefined,
  ): Promise<ChangeAnswer> {
    return this.#change(operations, guards, requestId, (error) => errorOfCommit(error, operations));
  }

  get({ path }: Permit<"read">, query: GetQuery): GetAnswer {
    const snapshot = this.#snapshotAt(query.minRevision);
    const { version, content } = readSecret(snapshot, path, query);
    return { version, content, storeRevision: snapshot.revision };
  }

  /** Reads the newest versions of secrets as of one revision. A secret that the caller may not read is an error entry. */
  batchGet(permits: CallPermits, texts: readonly string[], minRevision: number): BatchAnswer {
    const paths = texts.map((text, index) => parseSecretPath(text, `paths[${index}]`));
    const snapshot = this.#snapshotAt(minRevision);
    return { entries: readBatch(snapshot, permits, paths), storeRevision: snapshot.revision };
  }

  /**
   * One page of the secrets that the caller may list. `isOver` returns whether the caller has stopped waiting. To find a
   * page takes several turns of the event loop. If the policy changes meanwhile, the page is found again, so that it has no
   * secret that was created after a withdrawal. This throws ACCESS_DENIED as {@link permitList}.
   */
  async list(permit: ListPermit, question: ListQuestion, isOver: () => boolean): Promise<ListAnswer> {
    const { secrets, sealer } = this.#options;
    const page = await findListPage({ secrets, sealer, permit, question, isOver });
    const { permits, prefix } = permit;
    return permits.isCurrent ? page : this.list(this.permitList(permits.caller, prefix), question, isOver);
  }

  async describe({ path }: Permit<"describe">): Promise<DescribedSecret> {
    const { secrets, watchers } = this.#options;
    const snapshot = secrets.snapshot();
    const secret = snapshot.secret(path);
    const { number, revision } = newest(secret) ?? { number: 0, revision: 0 };
    const { time, revision: storeRevision } = snapshot;
    return { secret, watchers: await watchers.count(path, { number, revision }), time, storeRevision };
  }

  /** Records the version that a watcher has. Throws WATCH_NOT_FOUND, INVALID_FIELD or LIMIT_EXCEEDED. */
  async report({ path, caller }: Permit<"watch">, report: Omit<VersionReport, "path" | "caller">): Promise<void> {
    await this.#options.watchers.report({ ...report, path, caller: caller.id.toString() });
  }

  async #change(
    operations: readonly PermittedOperation[],
    guards: readonly PermittedGuard[],
    requestId: string | undefined,
    explained: (error: CofferError) => CofferError,
  ): Promise<ChangeAnswer> {
    try {
      const { revision, time, results } = await this.#options.changes.change(commandOf(operations, guards, requestId));
      return { revision, time, results, storeRevision: this.#options.secrets.snapshot().revision };
    } catch (error) {
      if (!(error instanceof CofferError)) throw error;
      if (error.reason === "ACCESS_DENIED") this.#reportDenial([...operations, ...guards]);
      throw explained(error);
    }
  }

  /**
   * Reports the first denied part of a change that the store has refused (authorizeChanges): the policy has changed since
   * the call was authorized.
   */
  #reportDenial(parts: readonly { readonly permits: readonly Permit[] }[]): void {
    const { authorizer, onDenied } = this.#options;
    const current = authorizer();
    for (const { caller, call, action, path: target } of parts.flatMap(({ permits }) => permits)) {
      const decision = current.decide(caller.id, action, target);
      if (decision.kind === "allowed") continue;
      onDenied({ caller, call, action, target, decision });
      return;
    }
  }

  #snapshotAt(minRevision: number): Snapshot {
    const snapshot = this.#options.secrets.snapshot();
    if (snapshot.revision < minRevision) throw revisionAhead(snapshot.revision);
    return snapshot;
  }
}

function commandOf(
  operations: readonly PermittedOperation[],
  guards: readonly PermittedGuard[],
  requestId: string | undefined,
): ChangeCommand {
  const [first] = operations;
  if (first === undefined) throw new Error("a change has no operation");
  return {
    author: first.caller.id.toString(),
    operations: operations.map((operation) => operation.command()),
    guards: guards.map((guard) => guard.command()),
    requestId,
  };
}

/** The store names an operation or a guard only by its index. */
function errorOfCommit(error: CofferError, operations: readonly PermittedOperation[]): CofferError {
  const failed = partOf(error);
  if (failed === undefined) return error;
  return errorOfPart(error, { ...failed, kind: operations[failed.index]?.kind ?? "" });
}

import type { Authorizer } from "../authorization/authorizer.ts";
import type { Decision } from "../authorization/decision.ts";
import type { Content } from "../domain/content.ts";
import { accessDenied, callerIsServer } from "../domain/errors.ts";
import { type PathPrefix, type SecretPath, parsePathPrefix, parseSecretPath } from "../domain/secret-path.ts";
import type { Principal } from "../spiffe/principal.ts";
import type { Changes } from "../store/changes.ts";
import { encodeContent } from "../store/content-format.ts";
import type { DeleteResult, PutResult } from "../store/operation.ts";
import type { StoredSecret } from "../store/secret.ts";
import type { OpenedVersion, SecretReader } from "../store/secret-reader.ts";
import { openPageToken, sealPageToken } from "./page-token.ts";
import type { Sealer } from "../sealing/sealer.ts";

/** The policy action that each call requires. */
const ACTION_OF = { Put: "write", Get: "read", Delete: "delete", List: "list", Describe: "describe" } as const;

/** The name of a call. */
export type Call = keyof typeof ACTION_OF;

/** A denied call, for logs and metrics. */
export interface Denial {
  readonly caller: Principal;
  readonly call: Call;
  /** The path, or the prefix of a List. */
  readonly target: string;
  readonly decision: Decision;
}

/** The options of a {@link SecretsEngine}. */
export interface EngineOptions {
  readonly secrets: SecretReader;
  readonly changes: Changes;
  /** Seals page tokens. */
  readonly sealer: Sealer;
  /** The current authorizer. It is read once for each call, so a policy reload never takes effect within a call. */
  readonly authorizer: () => Authorizer;
  readonly onDenied: (denial: Denial) => void;
}

/** Proves that a caller may call one method on one secret. Only the engine creates permits. */
export interface Permit {
  readonly caller: Principal;
  readonly path: SecretPath;
}

/** Proves that a caller may list secrets with a prefix, as `authorizer` allows. Only the engine creates permits. */
export interface ListPermit {
  readonly caller: Principal;
  readonly prefix: PathPrefix;
  readonly authorizer: Authorizer;
}

/** The query of a List for one page. */
export interface ListQuestion {
  readonly pageSize: number;
  /** Empty for the first page. */
  readonly pageToken: string;
}

/** One secret of a page. */
export interface ListedSecret {
  readonly path: SecretPath;
  /** Undefined if the caller may not describe the secret. */
  readonly described: StoredSecret | undefined;
}

/** One page of List. `nextPageToken` is empty on the last page. */
export interface ListAnswer {
  readonly secrets: readonly ListedSecret[];
  readonly nextPageToken: string;
}

/**
 * The actions of callers, and the only access to the store. Each action requires the permit that authorization returns,
 * so no action can run before its caller is authorized.
 */
export class SecretsEngine {
  readonly #options: EngineOptions;

  constructor(options: EngineOptions) {
    this.#options = options;
  }

  /** Authorizes a call for a secret. Throws ACCESS_DENIED, or INVALID_FIELD or LIMIT_EXCEEDED for the path. */
  permit(caller: Principal, call: Exclude<Call, "List">, text: string): Permit {
    const path = parseSecretPath(text);
    this.#require(this.#options.authorizer().decide(caller.id, ACTION_OF[call], path), caller, call, path);
    return { caller, path };
  }

  /**
   * Authorizes a List. Throws ACCESS_DENIED if no rule lets the caller list anything, or INVALID_FIELD or
   * LIMIT_EXCEEDED for the prefix.
   */
  permitList(caller: Principal, text: string): ListPermit {
    const prefix = parsePathPrefix(text);
    const authorizer = this.#options.authorizer();
    this.#require(authorizer.mayListAnything(caller.id), caller, "List", prefix);
    return { caller, prefix, authorizer };
  }

  /** Adds a version. */
  put({ caller, path }: Permit, content: Content, expectedVersion: number | undefined): Promise<PutResult> {
    const command = { path, plaintext: encodeContent(content), expectedVersion, author: caller.id.toString() };
    return this.#options.changes.put(command);
  }

  get({ path }: Permit, version: number): OpenedVersion {
    return this.#options.secrets.get(path, version);
  }

  delete(
    { caller, path }: Permit,
    versions: readonly number[],
    expectedVersion: number | undefined,
  ): Promise<DeleteResult> {
    return this.#options.changes.delete({ path, versions, expectedVersion, author: caller.id.toString() });
  }

  /** One page of the secrets that the caller may list. `isOver` returns whether the caller has stopped waiting. */
  async list(
    { caller, prefix, authorizer }: ListPermit,
    { pageSize: limit, pageToken }: ListQuestion,
    isOver: () => boolean,
  ): Promise<ListAnswer> {
    const { secrets: stored, sealer } = this.#options;
    const after = pageToken === "" ? undefined : openPageToken(sealer, pageToken, caller.id, prefix);
    const listable = authorizer.scope(caller.id, "list");
    const atOrAfter = (text: string) => listable.atOrAfter(text);
    const { secrets, next } = await stored.list({ prefix, after, limit, atOrAfter }, isOver);
    const describable = authorizer.scope(caller.id, "describe");
    return {
      secrets: secrets.map((secret) => ({
        path: secret.path,
        described: describable.covers(secret.path) ? secret : undefined,
      })),
      nextPageToken: next === undefined ? "" : sealPageToken(sealer, next, caller.id, prefix),
    };
  }

  describe({ path }: Permit): StoredSecret {
    return this.#options.secrets.describe(path);
  }

  #require(decision: Decision, caller: Principal, call: Call, target: string): void {
    if (decision.kind === "allowed") return;
    this.#options.onDenied({ caller, call, target, decision });
    if (decision.because === "the server's own SPIFFE ID") throw callerIsServer(ACTION_OF[call], caller.id.toString());
    throw accessDenied(ACTION_OF[call], target === "" ? "anything" : target);
  }
}

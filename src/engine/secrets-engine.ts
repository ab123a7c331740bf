import type { Authorizer } from "../authorization/authorizer.ts";
import type { Decision } from "../authorization/decision.ts";
import type { Content } from "../domain/content.ts";
import { accessDenied, callerIsServer } from "../domain/errors.ts";
import { type PathPrefix, type SecretPath, parsePathPrefix, parseSecretPath } from "../domain/secret-path.ts";
import type { Principal } from "../spiffe/principal.ts";
import type { DeleteResult, PutResult } from "../store/operation.ts";
import type { StoredSecret } from "../store/secret.ts";
import type { OpenedVersion, SecretStore } from "../store/secret-store.ts";
import { openPageToken, sealPageToken } from "./page-token.ts";
import type { Sealer } from "../sealing/sealer.ts";

/** What each call is in the words of a policy. */
const ACTION_OF = { Put: "write", Get: "read", Delete: "delete", List: "list", Describe: "describe" } as const;

/** The calls that there are. */
export type Call = keyof typeof ACTION_OF;

/** A decision against a caller, for whoever keeps a record of it. */
export interface Denial {
  readonly caller: Principal;
  readonly call: Call;
  /** The path, or the prefix of a List. */
  readonly target: string;
  readonly decision: Decision;
}

/** What an engine is made of. */
export interface EngineOptions {
  readonly store: SecretStore;
  /** Seals page tokens. */
  readonly sealer: Sealer;
  /** The authorizer in force. Read once for each call: a reload replaces it between calls, never within one. */
  readonly authorizer: () => Authorizer;
  readonly onDenied: (denial: Denial) => void;
}

/** That a caller may make a call to one secret. Only the engine makes one. */
export interface Permit {
  readonly caller: Principal;
  readonly path: SecretPath;
}

/** That a caller may list something below a prefix, and by which rules. Only the engine makes one. */
export interface ListPermit {
  readonly caller: Principal;
  readonly prefix: PathPrefix;
  readonly authorizer: Authorizer;
}

/** A question for one page of List. */
export interface ListQuestion {
  readonly pageSize: number;
  /** Empty: the first page. */
  readonly pageToken: string;
}

/** A secret of a page, and what the caller may know of it beside its path. */
export interface ListedSecret {
  readonly path: SecretPath;
  /** Undefined when the caller may not describe it. */
  readonly described: StoredSecret | undefined;
}

/** One page of List. `nextPageToken` is empty on the last one. */
export interface ListAnswer {
  readonly secrets: readonly ListedSecret[];
  readonly nextPageToken: string;
}

/**
 * What callers can do, and the order of things: authorize, then act. The only way to the store. Each action takes the
 * permit that authorizing the caller gave, so that none can come before it.
 */
export class SecretsEngine {
  readonly #options: EngineOptions;

  constructor(options: EngineOptions) {
    this.#options = options;
  }

  /** Authorizes a call to a secret. Throws ACCESS_DENIED, or what is wrong with the path. */
  permit(caller: Principal, call: Exclude<Call, "List">, text: string): Permit {
    const path = parseSecretPath(text);
    this.#require(this.#options.authorizer().decide(caller.id, ACTION_OF[call], path), caller, call, path);
    return { caller, path };
  }

  /** Authorizes a List. Throws ACCESS_DENIED when no rule lets the caller list anything, or what is wrong with the prefix. */
  permitList(caller: Principal, text: string): ListPermit {
    const prefix = parsePathPrefix(text);
    const authorizer = this.#options.authorizer();
    this.#require(authorizer.mayListAnything(caller.id), caller, "List", prefix);
    return { caller, prefix, authorizer };
  }

  /** Adds a version. */
  put({ caller, path }: Permit, content: Content, expectedVersion: number | undefined): Promise<PutResult> {
    return this.#options.store.put({ path, content, expectedVersion, author: caller.id.toString() });
  }

  get({ path }: Permit, version: number): OpenedVersion {
    return this.#options.store.get(path, version);
  }

  delete(
    { caller, path }: Permit,
    versions: readonly number[],
    expectedVersion: number | undefined,
  ): Promise<DeleteResult> {
    return this.#options.store.delete({ path, versions, expectedVersion, author: caller.id.toString() });
  }

  /** The secrets that the caller may list. `isOver` tells whether the caller has stopped waiting. */
  async list(
    { caller, prefix, authorizer }: ListPermit,
    { pageSize: limit, pageToken }: ListQuestion,
    isOver: () => boolean,
  ): Promise<ListAnswer> {
    const { store, sealer } = this.#options;
    const after = pageToken === "" ? undefined : openPageToken(sealer, pageToken, caller.id, prefix);
    const names = authorizer.scope(caller.id, "list");
    const atOrAfter = (text: string) => names.atOrAfter(text);
    const { secrets, next } = await store.list({ prefix, after, limit, atOrAfter }, isOver);
    const rest = authorizer.scope(caller.id, "describe");
    return {
      secrets: secrets.map((secret) => ({
        path: secret.path,
        described: rest.covers(secret.path) ? secret : undefined,
      })),
      nextPageToken: next === undefined ? "" : sealPageToken(sealer, next, caller.id, prefix),
    };
  }

  describe({ path }: Permit): StoredSecret {
    return this.#options.store.describe(path);
  }

  #require(decision: Decision, caller: Principal, call: Call, target: string): void {
    if (decision.kind === "allowed") return;
    this.#options.onDenied({ caller, call, target, decision });
    if (decision.because === "the server's own SPIFFE ID") throw callerIsServer(ACTION_OF[call], caller.id.toString());
    throw accessDenied(ACTION_OF[call], target === "" ? "anything" : target);
  }
}

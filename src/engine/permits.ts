import type { Action } from "../authorization/action.ts";
import type { Authorizer } from "../authorization/authorizer.ts";
import type { Decision } from "../authorization/decision.ts";
import type { PathScope } from "../authorization/path-scope.ts";
import { type CofferError, accessDenied, callerIsServer } from "../domain/errors.ts";
import { type SecretPath, parseSecretPath } from "../domain/secret-path.ts";
import type { Principal } from "../spiffe/principal.ts";
import type { SpiffeId } from "../spiffe/spiffe-id.ts";

/** The actions that a change requires on the secret that its first field names. */
export const ACTIONS_OF_CHANGE = {
  Put: ["write"],
  Delete: ["delete"],
  Patch: ["write"],
  Undelete: ["delete"],
  Destroy: ["destroy"],
  Restore: ["write", "read"],
  // Its first field is the source. The target needs write.
  Copy: ["read"],
  Purge: ["destroy"],
  Metadata: ["write"],
} as const satisfies Readonly<Record<string, readonly Action[]>>;

/** The actions of which a call requires at least one on any secret, before each of its secrets is authorized. */
export const ACTIONS_ANYWHERE = {
  List: ["list"],
  Commit: ["write", "delete", "destroy"],
  BatchGet: ["read"],
  Watch: ["watch"],
} as const satisfies Readonly<Record<string, readonly Action[]>>;

/** A call that changes one secret. */
export type ChangeCall = keyof typeof ACTIONS_OF_CHANGE;

/** The name of a call. */
export type Call = ChangeCall | keyof typeof ACTIONS_ANYWHERE | "Get" | "Describe" | "Report";

/** A denied call, or a denied part of it, for logs and metrics. */
export interface Denial {
  readonly caller: Principal;
  readonly call: Call;
  readonly action: string;
  /** The path of a secret, the prefix of a List, or empty if the caller may not perform the action on any secret. */
  readonly target: string;
  readonly decision: Decision;
}

/** A class, so that no other module can create an object of this type. */
class IssuedPermit<A extends Action> {
  readonly #caller: Principal;
  readonly call: Call;
  readonly action: A;
  readonly path: SecretPath;

  constructor({ caller, call }: Pick<PermitsOptions, "caller" | "call">, action: A, path: SecretPath) {
    this.#caller = caller;
    this.call = call;
    this.action = action;
    this.path = path;
  }

  get caller(): Principal {
    return this.#caller;
  }
}

/** Proves that a caller may perform an action on a secret. Only {@link CallPermits} creates permits. */
export type Permit<A extends Action = Action> = IssuedPermit<A>;

/** What {@link CallPermits} needs. */
export interface PermitsOptions {
  readonly caller: Principal;
  readonly call: Call;
  /** See EngineOptions. */
  readonly authorizer: () => Authorizer;
  readonly onDenied: (denial: Denial) => void;
}

/** Authorizes one call. All of its decisions are those of one policy. */
export class CallPermits {
  readonly #options: PermitsOptions;
  readonly #issued: Permit[] = [];
  #authorizer: Authorizer | undefined;

  constructor(options: PermitsOptions) {
    this.#options = options;
  }

  get caller(): Principal {
    return this.#options.caller;
  }

  /** Whether the policy that has decided this call is still in force. */
  get isCurrent(): boolean {
    return this.#current.epoch === this.#options.authorizer().epoch;
  }

  /** Authorizes an action on a secret. Throws ACCESS_DENIED. */
  permit<A extends Action>(action: A, path: SecretPath): Permit<A> {
    const known = this.#known(action, path);
    if (known !== undefined) return known;
    this.#require(this.#current.decide(this.caller.id, action, path), action, path);
    const permit = new IssuedPermit(this.#options, action, path);
    this.#issued.push(permit);
    return permit;
  }

  /** As {@link permit}, for the text of a path. Throws also INVALID_FIELD or LIMIT_EXCEEDED for `field`. */
  permitText<A extends Action>(action: A, text: string, field = "path"): Permit<A> {
    return this.#known(action, text) ?? this.permit(action, parseSecretPath(text, field));
  }

  /**
   * Requires that the caller may perform one of the actions on any secret at all. Throws ACCESS_DENIED. `target` is for
   * the log.
   */
  requireAnywhere(actions: readonly Action[], target: string): void {
    this.#require(this.#current.mayAnywhere(this.caller.id, actions), actions.join(", "), target);
  }

  /** Requires only that the caller does not have the server's own SPIFFE ID. Throws ACCESS_DENIED. */
  requireOtherThanServer(actions: readonly Action[]): void {
    const decision = this.#current.mayAnywhere(this.caller.id, actions);
    const isServer = decision.kind === "denied" && decision.because === "the server's own SPIFFE ID";
    if (isServer) this.#require(decision, actions.join(", "), "");
  }

  /** All paths on which the caller may perform the action, for many decisions at once. */
  scope(action: Action): PathScope {
    return this.#current.scope(this.caller.id, action);
  }

  #known<A extends Action>(action: A, path: string): Permit<A> | undefined {
    const known = this.#issued.find((permit) => permit.path === path && permit.action === action);
    return known as Permit<A> | undefined;
  }

  get #current(): Authorizer {
    this.#authorizer ??= this.#options.authorizer();
    return this.#authorizer;
  }

  #require(decision: Decision, action: string, target: string): void {
    if (decision.kind === "allowed") return;
    const { caller, call, onDenied } = this.#options;
    onDenied({ caller, call, action, target, decision });
    throw denialError(decision, caller.id, action, target);
  }
}

/** The error of a denied action. `target` is a path or prefix, or empty. */
export function denialError(
  { because }: Decision & { readonly kind: "denied" },
  caller: SpiffeId,
  action: string,
  target: string,
): CofferError {
  if (because === "the server's own SPIFFE ID") return callerIsServer(action, caller.toString());
  return accessDenied(action, target === "" ? "anything" : target);
}

import type { SecretPath } from "../domain/secret-path.ts";
import type { SpiffeId } from "../spiffe/spiffe-id.ts";
import { ACTIONS, type Action } from "./action.ts";
import type { Decision } from "./decision.ts";
import { PathScope } from "./path-scope.ts";
import { PathPattern } from "./pattern.ts";
import type { Policy, Rule } from "./policy.ts";
import { RuleIndex } from "./rule-index.ts";

/** The options of an {@link Authorizer}. */
export interface AuthorizerOptions {
  readonly policy: Policy;
  /** The SPIFFE IDs that may perform every action. They are compared exactly and are not patterns. */
  readonly admins: readonly SpiffeId[];
  /**
   * The server's own SPIFFE ID. A caller with this ID is always denied: it could impersonate the server and receive the
   * secrets that workloads put. Undefined until the server has an identity.
   */
  readonly server?: SpiffeId | undefined;
  /** The number of this authorizer. The code that creates authorizers increments it for each one. */
  readonly epoch: number;
}

/** The rule that allows every action to admins. No policy contains it. */
export const ADMIN: Rule = {
  name: "--admin",
  spiffeIds: [],
  paths: [PathPattern.parse("**")],
  actions: new Set(ACTIONS),
};

/** The maximum number of callers whose rules are cached. Beyond it, the oldest entry is removed. */
const MAX_CACHED_CALLERS = 4096;

/** The maximum number of cached path scopes. Callers with the same rules share one. */
const MAX_CACHED_SCOPES = 32;

const NO_RULE: Decision = { kind: "denied", because: "no rule" };
const SERVER_ITSELF: Decision = { kind: "denied", because: "the server's own SPIFFE ID" };

/**
 * Decides which caller may perform which action, by one policy. It is immutable: a policy reload creates a new
 * authorizer, so that no cache outlives its policy. A call with more than one decision, such as List, uses the same
 * authorizer for all.
 */
export class Authorizer {
  readonly epoch: number;
  readonly #rules: RuleIndex;
  /** The position of each rule in the policy. */
  readonly #numbers: ReadonlyMap<Rule, number>;
  readonly #admins: ReadonlySet<string>;
  readonly #server: SpiffeId | undefined;
  readonly #rulesByCaller = new Map<string, readonly Rule[]>();
  readonly #scopes = new Map<string, PathScope>();

  constructor({ policy, admins, server, epoch }: AuthorizerOptions) {
    this.epoch = epoch;
    this.#server = server;
    this.#rules = new RuleIndex(policy.rules);
    this.#numbers = new Map(policy.rules.map((rule, index) => [rule, index]));
    this.#admins = new Set(admins.map(String));
  }

  /** Decides whether the caller may perform the action on the secret at `path`, whether or not the secret exists. */
  decide(caller: SpiffeId, action: Action, path: SecretPath): Decision {
    return this.#decide(
      caller,
      (rule) => rule.actions.has(action) && rule.paths.some((pattern) => pattern.matches(path)),
    );
  }

  /**
   * Decides whether any rule lets the caller perform one of the actions on any path. Without such a rule, a call on
   * several secrets is denied as a whole; with one, it is filtered, or each of its secrets is authorized.
   */
  mayAnywhere(caller: SpiffeId, actions: readonly Action[]): Decision {
    return this.#decide(caller, (rule) => actions.some((action) => rule.actions.has(action)));
  }

  /** All paths on which a rule lets the caller perform the action, for many decisions at once. */
  scope(caller: SpiffeId, action: Action): PathScope {
    const rules = this.#rulesWith(caller, action);
    // ADMIN is not in the policy, so its number is -1.
    const key = rules.map((rule) => this.#numbers.get(rule) ?? -1).join();
    return cached(this.#scopes, key, MAX_CACHED_SCOPES, () => new PathScope(rules.flatMap(({ paths }) => paths)));
  }

  /**
   * The texts of the patterns that {@link scope} covers, each once and sorted. Two authorizers with the same texts for a
   * caller and an action decide alike.
   */
  patterns(caller: SpiffeId, action: Action): readonly string[] {
    const texts = this.#rulesWith(caller, action).flatMap(({ paths }) => paths.map(({ text }) => text));
    return [...new Set(texts)].sort();
  }

  #rulesWith(caller: SpiffeId, action: Action): readonly Rule[] {
    if (this.#server?.equals(caller)) return [];
    return this.#rulesOf(caller).filter((rule) => rule.actions.has(action));
  }

  #decide(caller: SpiffeId, allows: (rule: Rule) => boolean): Decision {
    if (this.#server?.equals(caller)) return SERVER_ITSELF;
    const by = this.#rulesOf(caller).find(allows);
    return by === undefined ? NO_RULE : { kind: "allowed", by };
  }

  #rulesOf(caller: SpiffeId): readonly Rule[] {
    return cached(this.#rulesByCaller, caller.toString(), MAX_CACHED_CALLERS, () => this.#select(caller));
  }

  #select(caller: SpiffeId): readonly Rule[] {
    if (this.#admins.has(caller.toString())) return [ADMIN];
    return this.#rules.select(caller);
  }
}

/** Returns the cached value of a key, or makes and caches it. Beyond `most` entries, the oldest is removed. */
function cached<Value>(cache: Map<string, Value>, key: string, most: number, make: () => Value): Value {
  const known = cache.get(key);
  if (known !== undefined) return known;
  const made = make();
  const [oldest] = cache.keys();
  if (oldest !== undefined && cache.size >= most) cache.delete(oldest);
  cache.set(key, made);
  return made;
}

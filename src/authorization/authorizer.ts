import type { SecretPath } from "../domain/secret-path.ts";
import type { SpiffeId } from "../spiffe/spiffe-id.ts";
import { ACTIONS, type Action } from "./action.ts";
import type { Decision } from "./decision.ts";
import { PathScope } from "./path-scope.ts";
import { PathPattern } from "./pattern.ts";
import type { Policy, Rule } from "./policy.ts";

/** What an authorizer decides from. */
export interface AuthorizerOptions {
  readonly policy: Policy;
  /** Callers who may do everything. Compared exactly; no patterns. */
  readonly admins: readonly SpiffeId[];
  /**
   * The server's own SPIFFE ID, with which nobody may do anything: who has it can pose as the server, and get what
   * workloads would put there. Undefined as long as nobody knows it.
   */
  readonly server?: SpiffeId | undefined;
  /** Which state of the policies this is. Whoever builds authorizers counts up with each one. */
  readonly epoch: number;
}

/** The rule by which an admin is allowed everything. No policy contains it. */
export const ADMIN: Rule = {
  name: "--admin",
  spiffeIds: [],
  paths: [PathPattern.parse("**")],
  actions: new Set(ACTIONS),
};

/** The most callers whose rules are remembered. Beyond it the one that was remembered first is forgotten. */
const MAX_REMEMBERED_CALLERS = 4096;

/** The most sets of paths that are remembered. Callers whom the same rules cover share one. */
const MAX_REMEMBERED_SCOPES = 32;

const NO_RULE: Decision = { kind: "denied", because: "no rule" };
const SERVER_ITSELF: Decision = { kind: "denied", because: "the server's own SPIFFE ID" };

/**
 * Decides who may do what, from one state of the policies. It never changes: a reload makes a new one, so that nothing
 * remembered outlives the policy it came from. A call that decides more than once, such as List, keeps the one that it
 * began with.
 */
export class Authorizer {
  readonly epoch: number;
  readonly #rules: readonly Rule[];
  /** The place of each rule in the policy. */
  readonly #numbers: ReadonlyMap<Rule, number>;
  readonly #admins: ReadonlySet<string>;
  readonly #server: SpiffeId | undefined;
  readonly #rulesByCaller = new Map<string, readonly Rule[]>();
  readonly #scopes = new Map<string, PathScope>();

  constructor({ policy, admins, server, epoch }: AuthorizerOptions) {
    this.epoch = epoch;
    this.#server = server;
    this.#rules = policy.rules;
    this.#numbers = new Map(policy.rules.map((rule, index) => [rule, index]));
    this.#admins = new Set(admins.map(String));
  }

  /** Whether the caller may do this to the secret at `path`, whether or not there is one. */
  decide(caller: SpiffeId, action: Action, path: SecretPath): Decision {
    return this.#decide(
      caller,
      (rule) => rule.actions.has(action) && rule.paths.some((pattern) => pattern.matches(path)),
    );
  }

  /** Whether any rule lets the caller list, on whatever paths; without one a List is refused, with one it is filtered. */
  mayListAnything(caller: SpiffeId): Decision {
    return this.#decide(caller, (rule) => rule.actions.has("list"));
  }

  /** All paths on which some rule lets the caller do this; for many decisions at once. */
  scope(caller: SpiffeId, action: Action): PathScope {
    const rules = this.#server?.equals(caller) ? [] : this.#rulesOf(caller).filter((rule) => rule.actions.has(action));
    // ADMIN is in no policy, and so has the number -1.
    const key = rules.map((rule) => this.#numbers.get(rule) ?? -1).join();
    return recall(this.#scopes, key, MAX_REMEMBERED_SCOPES, () => new PathScope(rules.flatMap(({ paths }) => paths)));
  }

  #decide(caller: SpiffeId, allows: (rule: Rule) => boolean): Decision {
    if (this.#server?.equals(caller)) return SERVER_ITSELF;
    const by = this.#rulesOf(caller).find(allows);
    return by === undefined ? NO_RULE : { kind: "allowed", by };
  }

  #rulesOf(caller: SpiffeId): readonly Rule[] {
    return recall(this.#rulesByCaller, caller.toString(), MAX_REMEMBERED_CALLERS, () => this.#select(caller));
  }

  #select(caller: SpiffeId): readonly Rule[] {
    if (this.#admins.has(caller.toString())) return [ADMIN];
    return this.#rules.filter((rule) => rule.spiffeIds.some((pattern) => pattern.matches(caller)));
  }
}

/** What is remembered under a key, or else made and remembered. Beyond `most` the oldest is forgotten. */
function recall<Value>(memory: Map<string, Value>, key: string, most: number, make: () => Value): Value {
  const known = memory.get(key);
  if (known !== undefined) return known;
  const made = make();
  const [oldest] = memory.keys();
  if (oldest !== undefined && memory.size >= most) memory.delete(oldest);
  memory.set(key, made);
  return made;
}

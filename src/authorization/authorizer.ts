import type { SecretPath } from "../domain/secret-path.ts";
import type { SpiffeId } from "../identity/spiffe-id.ts";
import { ACTIONS, type Action } from "./action.ts";
import type { Decision } from "./decision.ts";
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
  readonly #admins: ReadonlySet<string>;
  readonly #server: SpiffeId | undefined;
  readonly #rulesByCaller = new Map<string, readonly Rule[]>();

  constructor({ policy, admins, server, epoch }: AuthorizerOptions) {
    this.epoch = epoch;
    this.#server = server;
    this.#rules = policy.rules;
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

  #decide(caller: SpiffeId, allows: (rule: Rule) => boolean): Decision {
    if (this.#server?.equals(caller)) return SERVER_ITSELF;
    const by = this.#rulesOf(caller).find(allows);
    return by === undefined ? NO_RULE : { kind: "allowed", by };
  }

  #rulesOf(caller: SpiffeId): readonly Rule[] {
    const remembered = this.#rulesByCaller.get(caller.toString());
    if (remembered) return remembered;
    const rules = this.#select(caller);
    this.#remember(caller, rules);
    return rules;
  }

  #select(caller: SpiffeId): readonly Rule[] {
    if (this.#admins.has(caller.toString())) return [ADMIN];
    return this.#rules.filter((rule) => rule.spiffeIds.some((pattern) => pattern.matches(caller)));
  }

  #remember(caller: SpiffeId, rules: readonly Rule[]): void {
    if (this.#rulesByCaller.size >= MAX_REMEMBERED_CALLERS) {
      const [oldest] = this.#rulesByCaller.keys();
      this.#rulesByCaller.delete(oldest!);
    }
    this.#rulesByCaller.set(caller.toString(), rules);
  }
}

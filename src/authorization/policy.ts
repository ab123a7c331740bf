import type { SpiffeId } from "../spiffe/spiffe-id.ts";
import type { TrustDomain } from "../spiffe/trust-domain.ts";
import type { Action } from "./action.ts";
import { quoted } from "./invalid-rule.ts";
import type { PathPattern, SpiffeIdPattern } from "./pattern.ts";

/**
 * Allows each of its actions on every matching path to every matching caller. In a policy, none of the lists is empty.
 */
export interface Rule {
  /** The name of the rule for logs: its name in the file, or its line. Not always unique. */
  readonly name: string;
  readonly spiffeIds: readonly SpiffeIdPattern[];
  readonly paths: readonly PathPattern[];
  readonly actions: ReadonlySet<Action>;
}

/**
 * The rules that decide which caller may perform which action. Rules only allow: an action that no rule allows is
 * denied. If several rules allow an action, their order determines only which of them the log names. A policy does not
 * record where it was read from.
 */
export interface Policy {
  readonly rules: readonly Rule[];
}

/** The facts that determine whether a rule can ever apply. */
export interface PolicySurroundings {
  /** The trust domains for which the server has a bundle, so that their workloads can connect. */
  readonly trusted: Iterable<TrustDomain>;
  /** The server's own SPIFFE ID. Callers with this ID are always denied. */
  readonly server: SpiffeId;
}

/**
 * Returns warnings about valid rules that are probably mistakes: rules for trust domains without a bundle, whose
 * workloads can't connect, and rules that name the server's own SPIFFE ID. A wildcard that matches the server's ID
 * among others is not a mistake. There is one warning for each rule and trust domain, and for each rule that names the
 * server.
 */
export function policyWarnings(policy: Policy, { trusted, server }: PolicySurroundings): readonly string[] {
  const known = new Set(Array.from(trusted, String));
  return policy.rules.flatMap((rule) => [
    ...[...domainsOf(rule)]
      .filter((domain) => !known.has(domain))
      .map((domain) => `the rule ${quoted(rule.name)} names the trust domain ${domain}, for which there is no bundle`),
    ...(rule.spiffeIds.some(({ text }) => text === server.toString())
      ? [ownIdWarning(`the rule ${quoted(rule.name)}`, server)]
      : []),
  ]);
}

/** The warning about a rule or an `--admin` with the server's own SPIFFE ID. `rule` is the subject of the sentence. */
export function ownIdWarning(rule: string, server: SpiffeId): string {
  return `${rule} names ${server}, the server's own SPIFFE ID, which is always denied; give the workload its own SPIFFE ID`;
}

function domainsOf(rule: Rule): ReadonlySet<string> {
  return new Set(rule.spiffeIds.map((pattern) => pattern.trustDomain.toString()));
}

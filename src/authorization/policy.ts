import type { SpiffeId } from "../spiffe/spiffe-id.ts";
import type { TrustDomain } from "../spiffe/trust-domain.ts";
import type { Action } from "./action.ts";
import { quoted } from "./invalid-rule.ts";
import type { PathPattern, SpiffeIdPattern } from "./pattern.ts";

/** Allows each of its actions, on every path that it covers, to every caller that it covers. None of the lists is empty. */
export interface Rule {
  /** What logs call the rule: the name that it was given, or where it stands. Not always unique. */
  readonly name: string;
  readonly spiffeIds: readonly SpiffeIdPattern[];
  readonly paths: readonly PathPattern[];
  readonly actions: ReadonlySet<Action>;
}

/**
 * Who may do what. Rules only ever allow: what none of them allows is denied, and their order decides nothing but which
 * of several that allow is named. Where the rules came from makes no difference.
 */
export interface Policy {
  readonly rules: readonly Rule[];
}

/** What decides whether a rule can ever apply. */
export interface PolicySurroundings {
  /** The trust domains whose workloads may call: those of which the server has a bundle. */
  readonly trusted: Iterable<TrustDomain>;
  /** The server's own SPIFFE ID: nobody may do anything with it. */
  readonly server: SpiffeId;
}

/**
 * What is legal in a policy and probably not meant: rules for trust domains without a bundle, so that nobody from there
 * can connect, and rules that name the server itself. A pattern that covers it beside others is no slip. One sentence
 * for each rule and domain, and for each rule that names the server.
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

/** That a rule, or `--admin`, is for the server's own SPIFFE ID. `rule` begins the sentence. */
export function ownIdWarning(rule: string, server: SpiffeId): string {
  return `${rule} names ${server}, the server's own SPIFFE ID, which may do nothing; give the workload an ID of its own`;
}

function domainsOf(rule: Rule): ReadonlySet<string> {
  return new Set(rule.spiffeIds.map((pattern) => pattern.trustDomain.toString()));
}

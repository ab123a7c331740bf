import { type Action, parseAction } from "../authorization/action.ts";
import { Authorizer, type AuthorizerOptions } from "../authorization/authorizer.ts";
import { PathPattern, SpiffeIdPattern } from "../authorization/pattern.ts";
import type { Rule } from "../authorization/policy.ts";
import { SpiffeId } from "../spiffe/spiffe-id.ts";

/** What an authorizer decides by, as plain data, which can be posted to another thread. */
export interface PolicyMessage {
  readonly rules: readonly RuleMessage[];
  readonly admins: readonly string[];
  readonly server: string | undefined;
  readonly epoch: number;
}

/** A rule by the texts of its patterns. */
interface RuleMessage {
  readonly name: string;
  readonly spiffeIds: readonly string[];
  readonly paths: readonly string[];
  readonly actions: readonly Action[];
}

/** Encodes the options of an authorizer for {@link authorizerOf}. */
export function policyMessage({ policy, admins, server, epoch }: AuthorizerOptions): PolicyMessage {
  return { rules: policy.rules.map(ruleMessage), admins: admins.map(String), server: server?.toString(), epoch };
}

/** The authorizer that decides as the one whose options were encoded. Every text is parsed again. */
export function authorizerOf({ rules, admins, server, epoch }: PolicyMessage): Authorizer {
  return new Authorizer({
    policy: { rules: rules.map(readRule) },
    admins: admins.map((id) => SpiffeId.parse(id)),
    server: server === undefined ? undefined : SpiffeId.parse(server),
    epoch,
  });
}

function ruleMessage({ name, spiffeIds, paths, actions }: Rule): RuleMessage {
  return { name, spiffeIds: spiffeIds.map(textOf), paths: paths.map(textOf), actions: [...actions] };
}

function readRule({ name, spiffeIds, paths, actions }: RuleMessage): Rule {
  return {
    name,
    spiffeIds: spiffeIds.map((text) => SpiffeIdPattern.parse(text)),
    paths: paths.map((text) => PathPattern.parse(text)),
    actions: new Set(actions.map(parseAction)),
  };
}

function textOf({ text }: { readonly text: string }): string {
  return text;
}

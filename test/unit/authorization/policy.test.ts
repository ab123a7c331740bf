import assert from "node:assert/strict";
import { test } from "node:test";
import { policyWarnings } from "../../../src/authorization/policy.ts";
import { SpiffeId } from "../../../src/spiffe/spiffe-id.ts";
import { TrustDomain } from "../../../src/spiffe/trust-domain.ts";
import { policyOf } from "../../support/policy-text.ts";

const POLICY = policyOf(`rules:
- name: two domains
  spiffe_ids: [spiffe://example.org/a, spiffe://partner.net/b, spiffe://partner.net/c]
  paths: [x]
  actions: [read]
- spiffe_ids: [spiffe://__proto__/a]
  paths: [x]
  actions: [read]
`);

const server = SpiffeId.parse("spiffe://example.org/coffer");

function warnings(...trusted: string[]): readonly string[] {
  return policyWarnings(POLICY, { server, trusted: trusted.map((name) => TrustDomain.parse(name)) });
}

// There is one warning for each rule and each of its trust domains without a bundle.
test("a rule for a trust domain without a bundle causes a warning", () => {
  assert.deepEqual(warnings("example.org"), [
    'the rule "two domains" names the trust domain partner.net, for which there is no bundle',
    'the rule "unnamed (line 6)" names the trust domain __proto__, for which there is no bundle',
  ]);
});

test("a rule for a trust domain with a bundle causes no warning", () => {
  assert.deepEqual(warnings("example.org", "partner.net", "__proto__", "unused.org"), []);
});

// A rule that names the server's ID exactly is probably meant for a workload. A wildcard that matches the server's ID
// among others is not a mistake.
test("a rule that names the server's own SPIFFE ID causes a warning", () => {
  const policy = policyOf(`rules:
- {name: exact, spiffe_ids: [spiffe://example.org/a, spiffe://example.org/coffer], paths: [x], actions: [read]}
- {name: pattern, spiffe_ids: ["spiffe://example.org/*"], paths: [x], actions: [read]}
- {name: other, spiffe_ids: [spiffe://example.org/coffer/two], paths: [x], actions: [read]}
`);
  assert.deepEqual(policyWarnings(policy, { server, trusted: [server.trustDomain] }), [
    'the rule "exact" names spiffe://example.org/coffer, the server\'s own SPIFFE ID, which is always denied; give the workload its own SPIFFE ID',
  ]);
});

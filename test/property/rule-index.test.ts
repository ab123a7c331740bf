import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { PathPattern, SpiffeIdPattern } from "../../src/authorization/pattern.ts";
import type { Rule } from "../../src/authorization/policy.ts";
import { RuleIndex } from "../../src/authorization/rule-index.ts";
import { SpiffeId } from "../../src/spiffe/spiffe-id.ts";
import { segments, wild } from "../support/policy-parts.ts";

const domain = fc.constantFrom("a.b", "axb", "b");

const idPattern = fc
  .tuple(domain, wild)
  .map(([name, pattern]) => SpiffeIdPattern.parse(`spiffe://${name}/${pattern.join("/")}`));

const rule: fc.Arbitrary<Rule> = fc.array(idPattern, { minLength: 1, maxLength: 3 }).map((spiffeIds) => ({
  name: "rule",
  spiffeIds,
  paths: [PathPattern.parse("**")],
  actions: new Set(["read"] as const),
}));

/** An ID can also name only a trust domain, which no pattern matches. */
const id = fc
  .tuple(domain, fc.oneof({ weight: 9, arbitrary: segments }, fc.constant([])))
  .map(([name, text]) => SpiffeId.parse([`spiffe://${name}`, ...text].join("/")));

/** An ID that a pattern of the rules matches. */
function idOf({ text }: SpiffeIdPattern, fill: readonly string[]): SpiffeId {
  return SpiffeId.parse(text.replaceAll("**", fill.join("/")).replaceAll("*", fill[0] as string));
}

// The index selects the same rules in the same order as a comparison of each pattern of each rule with the caller: for
// any caller, and for one that a pattern matches. Both results occur.
test("the index of rules selects what a comparison of all patterns selects", () => {
  const seen = new Set<boolean>();
  const property = fc.property(fc.array(rule, { minLength: 1, maxLength: 12 }), id, segments, (rules, any, fill) => {
    const index = new RuleIndex(rules);
    const matched = rules.flatMap(({ spiffeIds }) => spiffeIds.map((pattern) => idOf(pattern, fill)));
    for (const caller of [any, ...matched]) {
      const expected = rules.filter(({ spiffeIds }) => spiffeIds.some((pattern) => pattern.matches(caller)));
      seen.add(expected.length > 0);
      const selected = index.select(caller);
      assert.ok(selected.length === expected.length && selected.every((one, i) => one === expected[i]));
    }
  });
  fc.assert(property, { numRuns: 2000 });
  assert.deepEqual([...seen].sort(), [false, true]);
});

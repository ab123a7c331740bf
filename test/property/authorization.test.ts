import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ACTIONS, type Action } from "../../src/authorization/action.ts";
import { Authorizer } from "../../src/authorization/authorizer.ts";
import { PathPattern, SpiffeIdPattern } from "../../src/authorization/pattern.ts";
import { readPolicy } from "../../src/authorization/policy-file.ts";
import { parseSecretPath } from "../../src/domain/secret-path.ts";
import { SpiffeId } from "../../src/spiffe/spiffe-id.ts";
import { segment, segments, wild } from "../support/policy-parts.ts";

/** A direct implementation of the rules of docs/policy.md, without regular expressions and caches. */
function covers(pattern: readonly string[], text: readonly string[]): boolean {
  const [first, ...rest] = pattern;
  if (first === undefined) return text.length === 0;
  if (first === "**") return text.length >= 1;
  const [segment, ...others] = text;
  return segment !== undefined && (first === "*" || first === segment) && covers(rest, others);
}

/** A text that matches a pattern: a segment for each `*`, and one or more for a final `**`. */
const filled = fc.tuple(wild, segments).map(([pattern, fill]) => {
  const text = pattern.map((part, i) => (part.startsWith("*") ? fill[i % fill.length]! : part));
  return { pattern, text: pattern.at(-1) === "**" ? [...text, ...fill] : text };
});

const patternAndText = fc.oneof(
  filled,
  fc.record({ pattern: wild, text: segments }),
  // A match in which one segment was replaced.
  fc.tuple(filled, segment, fc.nat()).map(([{ pattern, text }, other, at]) => ({
    pattern,
    text: text.with(at % text.length, other),
  })),
);

// A compiled pattern matches the same texts as the direct implementation, for paths and for SPIFFE IDs. Both results
// occur.
test("compiled patterns agree with a direct implementation of the rules", () => {
  const seen = new Set<boolean>();
  fc.assert(
    fc.property(patternAndText, ({ pattern, text }) => {
      const expected = covers(pattern, text);
      seen.add(expected);
      const path = PathPattern.parse(pattern.join("/"));
      assert.equal(path.matches(parseSecretPath(text.join("/"))), expected);
      const id = SpiffeIdPattern.parse(`spiffe://a.b/${pattern.join("/")}`);
      assert.equal(id.matches(SpiffeId.parse(`spiffe://a.b/${text.join("/")}`)), expected);
      assert.equal(id.matches(SpiffeId.parse(`spiffe://axb/${text.join("/")}`)), false);
    }),
    { numRuns: 2000 },
  );
  assert.deepEqual([...seen].sort(), [false, true]);
});

const rule = fc.record({
  ids: fc.array(wild, { minLength: 1, maxLength: 2 }),
  paths: fc.array(wild, { minLength: 1, maxLength: 2 }),
  actions: fc.subarray([...ACTIONS], { minLength: 1 }),
});
const question = fc.record({ caller: segments, action: fc.constantFrom<Action>(...ACTIONS), path: segments });

// For any queries in any order, an authorizer allows exactly what at least one rule allows by itself. A List is
// allowed to each caller that a rule allows the action `list`.
test("decisions agree with a direct implementation of the rules", () => {
  const seen = new Set<string>();
  fc.assert(
    fc.property(
      fc.array(rule, { maxLength: 6 }),
      fc.array(question, { minLength: 1, maxLength: 20 }),
      (rules, asked) => {
        const policy = {
          rules: rules.map(({ ids, paths, actions }, i) => ({
            name: String(i),
            spiffeIds: ids.map((id) => SpiffeIdPattern.parse(`spiffe://a/${id.join("/")}`)),
            paths: paths.map((path) => PathPattern.parse(path.join("/"))),
            actions: new Set(actions),
          })),
        };
        const authorizer = new Authorizer({ policy, admins: [], epoch: 1 });
        for (const { caller, action, path } of [...asked, ...asked]) {
          const own = rules.filter(({ ids }) => ids.some((id) => covers(id, caller)));
          const allows = own.some(
            ({ paths, actions }) => actions.includes(action) && paths.some((pattern) => covers(pattern, path)),
          );
          const id = SpiffeId.parse(`spiffe://a/${caller.join("/")}`);
          const decision = authorizer.decide(id, action, parseSecretPath(path.join("/")));
          assert.equal(decision.kind, allows ? "allowed" : "denied");
          seen.add(decision.kind);
          const lists = own.some(({ actions }) => actions.includes("list"));
          assert.equal(authorizer.mayAnywhere(id, ["list"]).kind, lists ? "allowed" : "denied");
        }
      },
    ),
    { numRuns: 600 },
  );
  assert.deepEqual([...seen].sort(), ["allowed", "denied"]);
});

const scrap = fc.constantFrom(
  ..."rules: |name: |spiffe_ids: |paths: |actions: |read|spiffe://a/b|**|*|\n|\n  |- |[|]|{|}|, |: |? |\"|'|&a |*a|!!map |%YAML 1.1\n|---\n|\t|# |\\|>".split(
    "|",
  ),
  "|",
  "\u0000",
);

// For any bytes, the result is a policy, or problems with positions inside the file.
test("reading a policy never throws, and problems have positions inside the file", () => {
  const file = fc.oneof(
    fc.array(scrap, { maxLength: 60 }).map((parts) => Buffer.from(parts.join(""))),
    fc.uint8Array({ maxLength: 200 }),
  );
  fc.assert(
    fc.property(file, (bytes) => {
      const reading = readPolicy(bytes);
      if (reading.kind === "policy") return;
      const lines = Buffer.from(bytes).toString().split("\n").length;
      assert.ok(reading.problems.length > 0);
      for (const { line, column } of reading.problems) assert.ok(line >= 1 && line <= lines && column >= 1);
    }),
    { numRuns: 2000 },
  );
});

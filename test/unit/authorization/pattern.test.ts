import assert from "node:assert/strict";
import { test } from "node:test";
import { InvalidRule } from "../../../src/authorization/invalid-rule.ts";
import { PathPattern, SpiffeIdPattern } from "../../../src/authorization/pattern.ts";
import { parseSecretPath } from "../../../src/domain/secret-path.ts";
import { SpiffeId } from "../../../src/spiffe/spiffe-id.ts";

function path(pattern: string, text: string): boolean {
  return PathPattern.parse(pattern).matches(parseSecretPath(text));
}

function id(pattern: string, text: string): boolean {
  return SpiffeIdPattern.parse(pattern).matches(SpiffeId.parse(text));
}

type Row = readonly [pattern: string, text: string];

function table(
  name: string,
  matches: (pattern: string, text: string) => boolean,
  expected: boolean,
  rows: Row[],
): void {
  for (const [pattern, text] of rows) {
    test(`${name}: ${pattern} ${expected ? "covers" : "does not cover"} ${text}`, () => {
      assert.equal(matches(pattern, text), expected);
    });
  }
}

// In a path pattern, * matches one segment, and a final ** matches one or more.
table("path", path, true, [
  ["shop/api/db", "shop/api/db"],
  ["shop/*/db", "shop/api/db"],
  ["*/*/*", "shop/api/db"],
  ["*", "shop"],
  ["shop/**", "shop/api"],
  ["shop/**", "shop/api/db/password"],
  ["shop/*/**", "shop/api/db"],
  ["**", "shop"],
  ["**", "shop/api/db"],
  ["*/**", "shop/api"],
  ["a.b/..c/.d", "a.b/..c/.d"],
  ["__proto__/constructor", "__proto__/constructor"],
  ["__proto__/*", "__proto__/__proto__"],
  ["-_.", "-_."],
  [`${"*/".repeat(255)}*`, `${"a/".repeat(255)}a`],
]);

table("path", path, false, [
  ["shop/api/db", "shop/api/db2"],
  ["shop/api/db", "shop/api"],
  ["shop/api/db", "shop/api/db/x"],
  ["shop/api/db", "x/shop/api/db"],
  ["shop/api", "shop/APi"],
  ["shop/*/db", "shop/db"],
  ["shop/*/db", "shop/a/b/db"],
  ["shop/*", "shop"],
  ["shop/*", "shop/api/db"],
  ["*", "shop/api"],
  ["*/*", "shop"],
  ["shop/**", "shop"],
  ["shop/**", "shopping/api"],
  ["shop/**", "x/shop/api"],
  ["shop/*/**", "shop/api"],
  ["*/**", "shop"],
  ["a.b", "axb"],
  ["...", "abc"],
  [`${"*/".repeat(255)}*`, `${"a/".repeat(254)}a`],
]);

// The same holds for SPIFFE ID patterns, within one trust domain.
table("SPIFFE ID", id, true, [
  ["spiffe://example.org/ns/shop/sa/api", "spiffe://example.org/ns/shop/sa/api"],
  ["spiffe://example.org/ns/*/sa/api", "spiffe://example.org/ns/shop/sa/api"],
  ["spiffe://example.org/ns/shop/**", "spiffe://example.org/ns/shop/sa/api"],
  ["spiffe://example.org/**", "spiffe://example.org/admin"],
  ["spiffe://example.org/*", "spiffe://example.org/admin"],
  ["spiffe://__proto__/constructor", "spiffe://__proto__/constructor"],
]);

table("SPIFFE ID", id, false, [
  ["spiffe://example.org/ns/shop/sa/api", "spiffe://example.org/ns/shop/sa/web"],
  ["spiffe://example.org/ns/*/sa/api", "spiffe://example.org/ns/sa/api"],
  ["spiffe://example.org/ns/*/sa/api", "spiffe://example.org/ns/a/b/sa/api"],
  ["spiffe://example.org/*", "spiffe://example.org/ns/shop"],
  ["spiffe://example.org/**", "spiffe://example.org"],
  ["spiffe://example.org/**", "spiffe://example.com/admin"],
  ["spiffe://example.org/**", "spiffe://examplexorg/admin"],
  ["spiffe://example.org/**", "spiffe://a.example.org/admin"],
  ["spiffe://example.org/**", "spiffe://example.org.evil/admin"],
  ["spiffe://example.org/*/admin", "spiffe://example.org/admin"],
]);

const MIXED = /mixes \* with other characters; \* stands for one whole segment, and \*\* for one or more at the end$/;

// Invalid patterns are refused, with the reason. The tables above are the positive control.
const invalidPaths: readonly (readonly [text: string, problem: RegExp])[] = [
  ["shop/a*", MIXED],
  ["shop/*a", MIXED],
  ["shop/***", MIXED],
  ["shop/a**", MIXED],
  ["**/shop", /\*\* is allowed as the last segment only$/],
  ["shop/**/db", /\*\* is allowed as the last segment only$/],
  ["**/**", /\*\* is allowed as the last segment only$/],
  ["", /^invalid path pattern "": path is empty$/],
  ["/shop", /begins with a slash$/],
  ["shop/", /ends with a slash$/],
  ["shop/**/", /\*\* is allowed as the last segment only$/],
  ["shop//*", /contains an empty segment/],
  ["shop/../*", /contains "\." or "\.\." as a segment$/],
  ["./**", /contains "\." or "\.\." as a segment$/],
  ["shop/[a-z]/x", /contains "\["/],
  ["shop/?", /contains "\?"/],
  ["(a|b)", /contains "\("/],
  ["shop/ü", /contains "ü"/],
  ["shop/a\n", /contains "\\n"/],
  [`${"a".repeat(513)}`, /more than the limit of 512$/],
];

for (const [text, problem] of invalidPaths) {
  test(`refused path pattern: ${text.slice(0, 40)}`, () => {
    assert.throws(() => PathPattern.parse(text), refusal(problem));
  });
}

const invalidIds: readonly (readonly [text: string, problem: RegExp])[] = [
  ["spiffe://*/ns/shop", /its trust domain must not contain \*$/],
  ["spiffe://**", /its trust domain must not contain \*$/],
  ["spiffe://*.example.org/x", /its trust domain must not contain \*$/],
  ["spiffe://example.org", /it has no path; for all workloads, write spiffe:\/\/example\.org\/\*\*$/],
  ["spiffe://example.org/", /it ends with a slash$/],
  ["spiffe://Example.org/x", /it has a trust domain that contains "E"/],
  ["spiffe://example.org/ns/a*", MIXED],
  ["spiffe://example.org/**/sa", /\*\* is allowed as the last segment only$/],
  ["spiffe://example.org//x", /it contains an empty segment/],
  ["spiffe://example.org/../x", /"\." or "\.\." as a segment$/],
  ["spiffe://example.org/x?y", /contains "\?"/],
  ["SPIFFE://example.org/x", /does not begin with spiffe:\/\/$/],
  ["*", /does not begin with spiffe:\/\/$/],
  ["**", /does not begin with spiffe:\/\/$/],
  ["*://example.org/x", /mixes/],
  ["example.org/x", /does not begin with spiffe:\/\/$/],
  ["", /^invalid SPIFFE ID pattern "": it is empty$/],
];

for (const [text, problem] of invalidIds) {
  test(`refused SPIFFE ID pattern: ${text}`, () => {
    assert.throws(() => SpiffeIdPattern.parse(text), refusal(problem));
  });
}

function refusal(problem: RegExp): (error: unknown) => true {
  return (error) => {
    assert.ok(error instanceof InvalidRule);
    assert.match(error.message, problem);
    return true;
  };
}

// A very long pattern does not cause a very long message.
test("a message quotes only the beginning of a long pattern", () => {
  assert.throws(
    () => PathPattern.parse("a".repeat(100_000)),
    (error: Error) => error.message.length < 300,
  );
});

test("a SPIFFE ID pattern has its trust domain and its text", () => {
  const pattern = SpiffeIdPattern.parse("spiffe://example.org/ns/*/**");
  assert.equal(pattern.trustDomain.toString(), "example.org");
  assert.equal(pattern.text, "spiffe://example.org/ns/*/**");
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { MAX_POLICY_BYTES } from "../../../src/authorization/policy-file.ts";
import { policyOf, problemsOf } from "../../support/policy-text.ts";

const RULE_KEYS = "allowed are name, spiffe_ids, paths, actions";
const ALIAS = "here * begins a YAML alias, which a policy can't have; put a pattern that begins with * in quotes";
const MIXED = "mixes * with other characters; * stands for one whole segment, and ** for one or more at the end";

const YAML = `
# Who may do what.
rules:
  - name: the shop
    spiffe_ids:
      - spiffe://example.org/ns/shop/sa/api
      - spiffe://example.org/ns/shop/sa/web
    paths: [shop/**, "*/public"]
    actions: [read, list]
  - spiffe_ids: [spiffe://example.org/ci]
    paths:
      - "**"
    actions: [write, delete]
`;

const JSON_TEXT = JSON.stringify(
  {
    rules: [
      {
        name: "the shop",
        spiffe_ids: ["spiffe://example.org/ns/shop/sa/api", "spiffe://example.org/ns/shop/sa/web"],
        paths: ["shop/**", "*/public"],
        actions: ["read", "list"],
      },
      { spiffe_ids: ["spiffe://example.org/ci"], paths: ["**"], actions: ["write", "delete"] },
    ],
  },
  null,
  "\t",
);

function plain(text: string) {
  return policyOf(text).rules.map((rule) => ({
    spiffeIds: rule.spiffeIds.map((pattern) => pattern.text),
    paths: rule.paths.map((pattern) => pattern.text),
    actions: [...rule.actions],
  }));
}

// A policy is read with everything that it says, and JSON says the same as YAML.
test("YAML and JSON are read alike", () => {
  const expected = [
    {
      spiffeIds: ["spiffe://example.org/ns/shop/sa/api", "spiffe://example.org/ns/shop/sa/web"],
      paths: ["shop/**", "*/public"],
      actions: ["read", "list"],
    },
    { spiffeIds: ["spiffe://example.org/ci"], paths: ["**"], actions: ["write", "delete"] },
  ];
  assert.deepEqual(plain(YAML), expected);
  assert.deepEqual(plain(JSON_TEXT), expected);
});

test("a rule is called by its name, or by its line", () => {
  assert.deepEqual(
    policyOf(YAML).rules.map((rule) => rule.name),
    ["the shop", "unnamed (line 10)"],
  );
});

// Legal, and denies all. A list that lost all its entries is not the same as one that was meant to be empty.
for (const text of ["rules: []", '{"rules": []}', "\uFEFFrules: []", "---\nrules: []\n...\n", "rules: []\r\n"]) {
  test(`no rules: ${JSON.stringify(text)}`, () => {
    assert.deepEqual(policyOf(text).rules, []);
  });
}

test("a file as large as the limit is read", () => {
  assert.deepEqual(policyOf("rules: []\n".padEnd(MAX_POLICY_BYTES, "#")).rules, []);
});

// YAML 1.1 would turn these into booleans and numbers; here they are text, or refused.
test("words that older YAML takes for booleans are text", () => {
  const text = `%YAML 1.1\n---\nrules: [{name: no, spiffe_ids: [spiffe://yes/on], paths: [off/1.5], actions: [read]}]`;
  assert.equal(policyOf(text).rules[0]?.name, "no");
});

const GOOD = "spiffe_ids: [spiffe://a/b], paths: [c], actions: [read]";

// Everything that is wrong is reported with its line and column, in the order of the file, and nothing is let through.
const files: readonly (readonly [what: string, file: string | Uint8Array, ...problems: string[]])[] = [
  ["empty", "", "1:1 the file must be a mapping with the key rules; rules: [] denies all"],
  ["comments only", "# none\n", "1:1 the file must be a mapping with the key rules; rules: [] denies all"],
  ["a list", "- a\n", "1:1 the file must be a mapping with the key rules; rules: [] denies all"],
  ["no rules", "\n{}", "2:1 the key rules is missing; rules: [] denies all"],
  ["rules without a list", "rules:\n#- a\n", "1:7 rules must be a list; rules: [] denies all"],
  ["rules as a mapping", "rules: {}", "1:8 rules must be a list; rules: [] denies all"],
  [
    "unknown and repeated keys",
    "rules: []\nrule: 1\nrules: []",
    '2:1 the key "rule" is unknown; allowed are rules',
    "3:1 the key rules is repeated",
  ],
  ["repeated keys in JSON", '{"rules": [],\n "rules": []}', "2:2 the key rules is repeated"],
  ["a merge key", "rules: []\n<<: {}", '2:1 the key "<<" is unknown; allowed are rules'],
  [
    "hostile keys",
    `rules:\n- {${GOOD},\n   __proto__: 1,\n   constructor: 2,\n   1: 3,\n   ? [x] : 4}`,
    `3:4 the key "__proto__" is unknown; ${RULE_KEYS}`,
    `4:4 the key "constructor" is unknown; ${RULE_KEYS}`,
    `5:4 the key "1" is unknown; ${RULE_KEYS}`,
    `6:6 the key "[\\"x\\"]" is unknown; ${RULE_KEYS}`,
  ],
  [
    "a rule that is none",
    "rules:\n- read\n- [a]\n-\n",
    "2:3 a rule must be a mapping with the keys name, spiffe_ids, paths, actions",
    "3:3 a rule must be a mapping with the keys name, spiffe_ids, paths, actions",
    "4:2 a rule must be a mapping with the keys name, spiffe_ids, paths, actions",
  ],
  [
    "a rule with nothing but a name",
    "rules:\n- name: x\n",
    "2:3 the rule has no spiffe_ids",
    "2:3 the rule has no paths",
    "2:3 the rule has no actions",
  ],
  [
    "keys without values",
    "rules:\n- {name, spiffe_ids, paths: , actions: []}\n",
    "2:4 name must be text; a number, true, false or null needs quotes",
    "2:10 spiffe_ids must be a list with at least one entry",
    "2:29 paths must be a list with at least one entry",
    "2:40 actions must be a list with at least one entry",
  ],
  [
    "a text for a list",
    "rules:\n- spiffe_ids: spiffe://a/b\n  paths: [c]\n  actions: read\n",
    "2:15 spiffe_ids must be a list with at least one entry",
    "4:12 actions must be a list with at least one entry",
  ],
  [
    "entries that are no text",
    "rules:\n- name: 1\n  spiffe_ids: [~]\n  paths: [2, {a: b}]\n  actions: [true]\n",
    "2:9 name must be text; a number, true, false or null needs quotes",
    "3:16 an entry of spiffe_ids must be text; a number, true, false or null needs quotes",
    "4:11 an entry of paths must be text; a number, true, false or null needs quotes",
    "4:14 an entry of paths must be text; a number, true, false or null needs quotes",
    "5:13 an entry of actions must be text; a number, true, false or null needs quotes",
  ],
  [
    "actions that are none",
    `rules:\n- spiffe_ids: [spiffe://a/b]\n  paths: [c]\n  actions:\n  - read\n  - Read\n  - "*"\n  - constructor`,
    '6:5 "Read" is no action; allowed are read, write, delete, list, describe',
    '7:5 "*" is no action; allowed are read, write, delete, list, describe',
    '8:5 "constructor" is no action; allowed are read, write, delete, list, describe',
  ],
  [
    "patterns that are none, in several rules",
    `rules:
- spiffe_ids: [spiffe://*/b]
  paths: [c*]
  actions: [read]
- spiffe_ids: [spiffe://a/b]
  paths:
    - a/**/b
    - /a
  actions: [read]`,
    '2:16 "spiffe://*/b" is no SPIFFE ID pattern: its trust domain must be written out, without *',
    `3:11 "c*" is no path pattern: the segment "c*" ${MIXED}`,
    '7:7 "a/**/b" is no path pattern: ** is allowed as the last segment only',
    '8:7 "/a" is no path pattern: path begins with a slash',
  ],
  [
    "names that could forge a log line",
    `rules:\n- {${GOOD}, name: "a\\nb"}\n- {${GOOD}, name: ""}\n`,
    '2:67 "a\\nb" is no name; allowed are 1 to 100 printable characters',
    '3:67 "" is no name; allowed are 1 to 100 printable characters',
  ],
  [
    "wildcards without quotes",
    "rules:\n- spiffe_ids: [spiffe://a/b]\n  paths: [*]\n  actions:\n  - **\n  name: */x",
    `3:11 ${ALIAS}`,
    `5:5 ${ALIAS}`,
    `6:9 ${ALIAS}`,
  ],
  ["aliases", `rules:\n- &a {${GOOD}}\n- *a\n`, `3:3 ${ALIAS}`],
  [
    "an alias for a key",
    `rules:\n- &a x\n- *a : b`,
    "2:6 a rule must be a mapping with the keys name, spiffe_ids, paths, actions",
    `3:3 ${ALIAS}`,
    "3:3 the rule has no spiffe_ids",
    "3:3 the rule has no paths",
    "3:3 the rule has no actions",
  ],
  [
    "tags of the core schema",
    "rules: !!seq\n- !!map\n  name: !!str 12\n  spiffe_ids: [spiffe://a/b]\n  ? !!str paths\n  : [! a]\n  actions: [read]",
    "2:1 a policy can't have tags (!...)",
    "3:3 a policy can't have tags (!...)",
    "3:15 a policy can't have tags (!...)",
    "5:11 a policy can't have tags (!...)",
    "6:8 a policy can't have tags (!...)",
  ],
  ["tags", "rules: !!omap\n- a: !b c", "1:8 a policy can't have tags (!...)", "2:6 a policy can't have tags (!...)"],
  ["two documents", "rules: []\n---\nrules: []", "2:1 a second document begins here; a policy is one document"],
  ["a tab", "rules:\n\t- a", "2:1 not valid YAML: Tabs are not allowed as indentation"],
  ["bad UTF-8", Buffer.from("rules: []\n# ü\n# \xff", "latin1"), "2:1 the line is not UTF-8"],
  [
    "bad UTF-8 after good",
    Buffer.concat([Buffer.from("# ü\n"), Buffer.from([0xc3, 0x0a])]),
    "2:1 the line is not UTF-8",
  ],
  [
    "too large",
    "rules: []\n".padEnd(MAX_POLICY_BYTES + 1, "#"),
    "1:1 the file has 262145 bytes, more than the limit of 262144",
  ],
];

for (const [what, file, ...problems] of files) {
  test(`refused: ${what}`, () => {
    assert.deepEqual(problemsOf(file), problems);
  });
}

// The positive control of the rows that are made from GOOD.
test("the rule that the refused ones are made from is accepted", () => {
  assert.equal(policyOf(`rules:\n- {${GOOD}, name: "a b"}`).rules.length, 1);
});

// An alias that doubles at each step would be a gigabyte when it is expanded; nothing is expanded.
test("aliases of aliases are refused, not expanded", () => {
  const bomb = Array.from({ length: 30 }, (_, i) => `x${i + 1}: &x${i + 1} [*x${i}, *x${i}]`).join("\n");
  const problems = problemsOf(`rules: []\nx0: &x0 [a]\n${bomb}\n`);
  assert.equal(problems.length, 31);
});

// Nested nodes are composed by recursion, and where the stack is full V8 may end the process instead of throwing: on Node
// 20 that took a few readings, of different styles.
test("deep nesting is refused, in any style and again and again", () => {
  const styles = ["[", "{", "[{", "- ", "? ", "[a, "].map((style) => style.repeat(MAX_POLICY_BYTES / style.length));
  const blocks = Array.from({ length: 500 }, (_, depth) => `${" ".repeat(depth)}a:\n`).join("");
  for (const text of [...styles, ...styles, ...styles, blocks]) {
    const [problem, ...more] = problemsOf(text);
    assert.match(problem ?? "", /^\d+:\d+ the nesting is too deep$/);
    assert.deepEqual(more, []);
  }
});

// The control: as deep as a policy can be written, and deeper in a place that has a message of its own.
test("the depth of a rule in block style is none that is refused", () => {
  const block =
    "rules:\n  -\n    name: a\n    spiffe_ids:\n      -\n        spiffe://a/b\n    paths: [a]\n    actions: [read]\n";
  assert.equal(policyOf(block).rules.length, 1);
  assert.deepEqual(problemsOf(`rules:\n- {${GOOD}, name: [[[a]]]}`), [
    `2:${GOOD.length + 12} name must be text; a number, true, false or null needs quotes`,
  ]);
});

// The parser's own check of keys is quadratic; with it this file takes minutes.
test("a file of nothing but keys is refused, and its problems are told up to a hundred", () => {
  const problems = problemsOf("k: 1\n".repeat(50_000));
  assert.equal(problems.length, 101);
  assert.equal(problems.at(-1), "100:1 from here on there are 49901 more problems");
  assert.equal(problemsOf("k: 1\n".repeat(99)).length, 100);
});

// As arguments of a call they would be too many for the stack.
test("a file of nothing but faults is refused", () => {
  assert.equal(problemsOf(`rules:\n${"- {}\n".repeat(50_000)}`).length, 101);
});

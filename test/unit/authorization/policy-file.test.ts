import assert from "node:assert/strict";
import { test } from "node:test";
import { MAX_POLICY_BYTES } from "../../../src/authorization/policy-file.ts";
import { policyOf, problemsOf } from "../../support/policy-text.ts";

const RULE_KEYS = "allowed are name, spiffe_ids, paths, actions";
const ALIAS = "* begins a YAML alias here, which is not allowed in a policy; quote patterns that begin with *";
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

// All fields are read, from YAML and from JSON.
test("YAML and JSON give the same policy", () => {
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

test("a rule without a name is named after its line", () => {
  assert.deepEqual(
    policyOf(YAML).rules.map((rule) => rule.name),
    ["the shop", "unnamed (line 10)"],
  );
});

// An explicit empty list is valid and denies everything. A key without a value is not valid, because its entries may be
// missing by mistake.
for (const text of ["rules: []", '{"rules": []}', "\uFEFFrules: []", "---\nrules: []\n...\n", "rules: []\r\n"]) {
  test(`a policy without rules is valid: ${JSON.stringify(text)}`, () => {
    assert.deepEqual(policyOf(text).rules, []);
  });
}

test("a file as large as the limit is read", () => {
  assert.deepEqual(policyOf("rules: []\n".padEnd(MAX_POLICY_BYTES, "#")).rules, []);
});

// YAML 1.1 would read these words as booleans and numbers.
test("words that are booleans in YAML 1.1 are text", () => {
  const text = `%YAML 1.1\n---\nrules: [{name: no, spiffe_ids: [spiffe://yes/on], paths: [off/1.5], actions: [read]}]`;
  assert.equal(policyOf(text).rules[0]?.name, "no");
});

const GOOD = "spiffe_ids: [spiffe://a/b], paths: [c], actions: [read]";

// All problems are reported with line and column, in the order of the file, and no rule of the file is used.
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
    "entries that are not rules",
    "rules:\n- read\n- [a]\n-\n",
    "2:3 a rule must be a mapping with the keys name, spiffe_ids, paths, actions",
    "3:3 a rule must be a mapping with the keys name, spiffe_ids, paths, actions",
    "4:2 a rule must be a mapping with the keys name, spiffe_ids, paths, actions",
  ],
  [
    "a rule with only a name",
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
    "a text instead of a list",
    "rules:\n- spiffe_ids: spiffe://a/b\n  paths: [c]\n  actions: read\n",
    "2:15 spiffe_ids must be a list with at least one entry",
    "4:12 actions must be a list with at least one entry",
  ],
  [
    "entries that are not text",
    "rules:\n- name: 1\n  spiffe_ids: [~]\n  paths: [2, {a: b}]\n  actions: [true]\n",
    "2:9 name must be text; a number, true, false or null needs quotes",
    "3:16 an entry of spiffe_ids must be text; a number, true, false or null needs quotes",
    "4:11 an entry of paths must be text; a number, true, false or null needs quotes",
    "4:14 an entry of paths must be text; a number, true, false or null needs quotes",
    "5:13 an entry of actions must be text; a number, true, false or null needs quotes",
  ],
  [
    "unknown actions",
    `rules:\n- spiffe_ids: [spiffe://a/b]\n  paths: [c]\n  actions:\n  - read\n  - Read\n  - "*"\n  - constructor`,
    '6:5 unknown action "Read": expected read, write, delete, destroy, list, describe, watch',
    '7:5 unknown action "*": expected read, write, delete, destroy, list, describe, watch',
    '8:5 unknown action "constructor": expected read, write, delete, destroy, list, describe, watch',
  ],
  [
    "invalid patterns in several rules",
    `rules:
- spiffe_ids: [spiffe://*/b]
  paths: [c*]
  actions: [read]
- spiffe_ids: [spiffe://a/b]
  paths:
    - a/**/b
    - /a
  actions: [read]`,
    '2:16 invalid SPIFFE ID pattern "spiffe://*/b": its trust domain must not contain *',
    `3:11 invalid path pattern "c*": the segment "c*" ${MIXED}`,
    '7:7 invalid path pattern "a/**/b": ** is allowed as the last segment only',
    '8:7 invalid path pattern "/a": path begins with a slash',
  ],
  [
    "names that could forge a log line",
    `rules:\n- {${GOOD}, name: "a\\nb"}\n- {${GOOD}, name: ""}\n`,
    '2:67 invalid name "a\\nb": expected 1 to 100 printable characters',
    '3:67 invalid name "": expected 1 to 100 printable characters',
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
    "an alias as a key",
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
    "2:1 tags (!...) are not allowed in a policy",
    "3:3 tags (!...) are not allowed in a policy",
    "3:15 tags (!...) are not allowed in a policy",
    "5:11 tags (!...) are not allowed in a policy",
    "6:8 tags (!...) are not allowed in a policy",
  ],
  [
    "tags",
    "rules: !!omap\n- a: !b c",
    "1:8 tags (!...) are not allowed in a policy",
    "2:6 tags (!...) are not allowed in a policy",
  ],
  ["two documents", "rules: []\n---\nrules: []", "2:1 a second document begins here; a policy has only one"],
  ["a tab", "rules:\n\t- a", "2:1 not valid YAML: Tabs are not allowed as indentation"],
  ["invalid UTF-8", Buffer.from("rules: []\n# ü\n# \xff", "latin1"), "2:1 the line is not UTF-8"],
  [
    "invalid UTF-8 after valid UTF-8",
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
  test(`a policy file is refused: ${what}`, () => {
    assert.deepEqual(problemsOf(file), problems);
  });
}

// The positive control of the files that contain GOOD.
test("the valid rule in the refused files is accepted", () => {
  assert.equal(policyOf(`rules:\n- {${GOOD}, name: "a b"}`).rules.length, 1);
});

// If aliases that double at each step were expanded, the result would have a gigabyte. They are not expanded.
test("aliases of aliases are refused, not expanded", () => {
  const bomb = Array.from({ length: 30 }, (_, i) => `x${i + 1}: &x${i + 1} [*x${i}, *x${i}]`).join("\n");
  const problems = problemsOf(`rules: []\nx0: &x0 [a]\n${bomb}\n`);
  assert.equal(problems.length, 31);
});

// The package yaml composes nested nodes by recursion. If the stack overflows, V8 can end the process instead of
// throwing. On Node 20, a few reads of nested nodes in different styles were enough.
test("deep nesting is refused in any style, also when it is read again and again", () => {
  const styles = ["[", "{", "[{", "- ", "? ", "[a, "].map((style) => style.repeat(MAX_POLICY_BYTES / style.length));
  const blocks = Array.from({ length: 500 }, (_, depth) => `${" ".repeat(depth)}a:\n`).join("");
  for (const text of [...styles, ...styles, ...styles, blocks]) {
    const [problem, ...more] = problemsOf(text);
    assert.match(problem ?? "", /^\d+:\d+ the nesting is too deep$/);
    assert.deepEqual(more, []);
  }
});

// The control: the deepest form of a valid policy, and a deeper node that is refused for another reason.
test("the depth of a rule in block style is accepted", () => {
  const block =
    "rules:\n  -\n    name: a\n    spiffe_ids:\n      -\n        spiffe://a/b\n    paths: [a]\n    actions: [read]\n";
  assert.equal(policyOf(block).rules.length, 1);
  assert.deepEqual(problemsOf(`rules:\n- {${GOOD}, name: [[[a]]]}`), [
    `2:${GOOD.length + 12} name must be text; a number, true, false or null needs quotes`,
  ]);
});

// The check for repeated keys in the package yaml takes quadratic time, which is minutes for this file.
test("a file of many keys is refused, with at most a hundred problems", () => {
  const problems = problemsOf("k: 1\n".repeat(50_000));
  assert.equal(problems.length, 101);
  assert.equal(problems.at(-1), "100:1 49901 more problems from here on");
  assert.equal(problemsOf("k: 1\n".repeat(99)).length, 100);
});

// Passing so many problems as arguments of one call would overflow the stack.
test("a file with only invalid rules is refused", () => {
  assert.equal(problemsOf(`rules:\n${"- {}\n".repeat(50_000)}`).length, 101);
});

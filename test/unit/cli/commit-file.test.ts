import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CommandFailed } from "../../../src/cli/command-failed.ts";
import { type FileOperation, readCommitFile } from "../../../src/cli/document/commit-file.ts";

const read = (text: string | Buffer) => readCommitFile(Buffer.from(text), "f");

/** The message of the refusal. */
function refusal(text: string | Buffer): string {
  try {
    read(text);
  } catch (error) {
    assert.ok(error instanceof CommandFailed);
    assert.equal(error.outcome, "usage");
    return error.message;
  }
  throw new assert.AssertionError({ message: `accepted: ${text}` });
}

// A document with each operation and each field, in the order of coffer.proto.
const WHOLE = `
# A comment.
operations:
  - put:
      path: a/put
      data:
        text: plain
        quoted: "two\\nlines"
        number: 0123
        flag: true
        from_file: {file: name}
        from_variable: {env: NAME}
        bytes: {base64: /wA=}
      binary_data: {more: AAE=}
      expected_version: 0
      expire_time: 2027-01-31T12:00:00Z
  - put: {path: a/ttl, data: {k: v}, ttl: 30d}
  - patch: {path: a/patch, data: {k: v}, remove: [a, b], expected_version: 3}
  - delete: {path: a/delete, versions: [1, 2]}
  - undelete: {path: a/undelete}
  - destroy: {path: a/destroy, versions: [3], expected_version: 4, require_converged: true, min_watchers: 5}
  - restore: {path: a/restore, version: 2}
  - copy: {source: a/copy, version: 5, target: b/copy, expected_version: 0}
  - purge: {path: a/purge}
  - metadata:
      path: a/metadata
      max_versions: 20
      labels: {team: shop, tier: 1}
      remove_labels: [old]
      description: for people
      default_ttl: 0s
      cas_required: true
guards:
  - {path: a/guard, expected_version: 7}
`;

describe("a commit file", () => {
  it("has the operations and fields of coffer.proto", () => {
    const { operations, guards } = read(WHOLE);
    const byKind = (kind: FileOperation["kind"]) => operations.find((operation) => operation.kind === kind)?.fields;
    assert.deepEqual(byKind("put"), {
      path: "a/put",
      data: [
        { key: "text", source: { kind: "literal", text: "plain" } },
        { key: "quoted", source: { kind: "literal", text: "two\nlines" } },
        { key: "number", source: { kind: "literal", text: "0123" } },
        { key: "flag", source: { kind: "literal", text: "true" } },
        { key: "from_file", source: { kind: "file", file: "name" } },
        { key: "from_variable", source: { kind: "variable", name: "NAME" } },
        { key: "bytes", source: { kind: "bytes", bytes: Buffer.from([0xff, 0]) } },
      ],
      binary_data: [{ key: "more", source: { kind: "bytes", bytes: Buffer.from([0, 1]) } }],
      expected_version: 0,
      expire_time: Date.UTC(2027, 0, 31, 12),
    });
    assert.deepEqual(operations[1]?.fields, {
      path: "a/ttl",
      data: [{ key: "k", source: { kind: "literal", text: "v" } }],
      ttl: 30 * 24 * 3_600_000,
    });
    assert.deepEqual(byKind("patch"), {
      path: "a/patch",
      data: [{ key: "k", source: { kind: "literal", text: "v" } }],
      remove: ["a", "b"],
      expected_version: 3,
    });
    assert.deepEqual(byKind("delete"), { path: "a/delete", versions: [1, 2] });
    assert.deepEqual(byKind("undelete"), { path: "a/undelete" });
    assert.deepEqual(byKind("destroy"), {
      path: "a/destroy",
      versions: [3],
      expected_version: 4,
      require_converged: true,
      min_watchers: 5,
    });
    assert.deepEqual(byKind("restore"), { path: "a/restore", version: 2 });
    assert.deepEqual(byKind("copy"), { source: "a/copy", version: 5, target: "b/copy", expected_version: 0 });
    assert.deepEqual(byKind("purge"), { path: "a/purge" });
    assert.deepEqual(byKind("metadata"), {
      path: "a/metadata",
      max_versions: 20,
      labels: { team: "shop", tier: "1" },
      remove_labels: ["old"],
      description: "for people",
      default_ttl: 0,
      cas_required: true,
    });
    assert.deepEqual(guards, [{ path: "a/guard", expectedVersion: 7 }]);
  });

  it("can be JSON", () => {
    const json = { operations: [{ put: { path: "a/b", data: { "k/\u2028": "v\n" }, ttl: "86400s" } }] };
    for (const indent of [undefined, 2, "\t"]) {
      const [operation] = read(JSON.stringify(json, undefined, indent)).operations;
      assert.deepEqual(operation?.fields, {
        path: "a/b",
        data: [{ key: "k/\u2028", source: { kind: "literal", text: "v\n" } }],
        ttl: 86_400_000,
      });
    }
  });

  // Each row is a document with one mistake, and the message with its line, its column and its operation.
  for (const [name, text, message] of [
    ["is empty", "", /^f has no operation$/],
    ["has no operations", "operations: []", /^f has no operation$/],
    ["is a list", "- put: {path: a}", /^f:1:1: the document must be a mapping/],
    ["has an unknown key", "ops: []", /^f:1:1: unknown or empty key: expected operations or guards$/],
    [
      "has an unknown operation",
      "operations:\n  - delete: {path: a}\n  - remove: {path: a}",
      /^f:3:5: operation 1 must be a mapping with one of the keys put, patch, delete, /,
    ],
    [
      "has two operations in one entry",
      "operations:\n  - delete: {path: a}\n    purge: {path: a}",
      /^f:2:5: operation 0 must be a mapping with one of/,
    ],
    [
      "has an unknown field",
      "operations:\n  - purge: {path: a, versions: [1]}",
      /^f:2:22: operation 0 \(purge\): unknown field: expected path, expected_version$/,
    ],
    ["lacks a field", "operations:\n  - copy: {source: a}", /^f:2:11: operation 0 \(copy\): target is missing$/],
    [
      "lacks the version of a restore",
      "operations: [{restore: {path: a}}]",
      /^f:1:24: operation 0 \(restore\): version is missing$/,
    ],
    [
      "lacks the version of a guard",
      "operations: [{purge: {path: a}}]\nguards: [{path: b}]",
      /^f:2:10: guard 0: expected_version is missing$/,
    ],
    ["repeats a field", "operations:\n  - purge: {path: a, path: b}", /^f:2:22: the key is repeated$/],
    [
      "repeats a key of a secret",
      "operations:\n  - put: {path: a, data: {k: v, k: w}}",
      /^f:2:33: the key is repeated$/,
    ],
    [
      "has a version that is not a number",
      "operations: [{delete: {path: a, versions: [1, x]}}]",
      /^f:1:47: an entry of operation 0 \(delete\): versions is not a whole number from 0 to 4294967295$/,
    ],
    [
      "has a flag in quotes",
      'operations: [{metadata: {path: a, cas_required: "true"}}]',
      /^f:1:49: operation 0 \(metadata\): cas_required must be true or false$/,
    ],
    [
      "has a time to live without a unit",
      "operations: [{put: {path: a, data: {k: v}, ttl: 30}}]",
      /^f:1:49: operation 0 \(put\): ttl is not a number with ms, s, m, h or d, such as 30d$/,
    ],
    [
      "has a time without a zone",
      "operations: [{put: {path: a, data: {k: v}, expire_time: 2027-01-31T12:00:00}}]",
      /^f:1:57: operation 0 \(put\): expire_time is not a time of RFC 3339/,
    ],
    ["has two documents", "operations: []\n---\n", /^f:2:1: a second document begins here$/],
    ["is not UTF-8", Buffer.from([0x61, 0xff]), /^f:1:1: the document is not UTF-8$/],
  ] as const) {
    it(`is refused if it ${name}`, () => assert.match(refusal(text), message));
  }

  it("is refused with all problems, in the order of the document", () => {
    const text = "operations:\n  - purge: {}\n  - copy: {source: a}\nguards: [1]";
    assert.deepEqual(
      refusal(text)
        .split("\n")
        .map((line) => line.split(":", 2)[1]),
      ["2", "3", "4"],
    );
  });

  // A value can be anywhere in a document with a mistake, even as a key: {hunter2}. No message quotes the document.
  it("is refused without showing a part of it", () => {
    for (const text of [
      "operations: [{put: {path: a, data: {hunter2}}}]",
      "operations: [{put: {path: a, data: hunter2}}]",
      "operations: [{put: {path: a, data: {k: *hunter2}}}]",
      "operations: [{put: {path: a, data: {k: &hunter2 x}}}]",
      "operations: [{put: {path: a, data: {k: !hunter2 x}}}]",
      "operations: [{put: {path: a, data: {k: {base64: hunter2}}}}]",
      "operations: [{put: {path: a, data: {k: {hunter2: x}}}}]",
      "operations: [{put: {path: a, data: {k: [hunter2]}}}]",
      'operations: [{put: {path: a, data: {k: "\\hunter2"}}}]',
      "operations: [{put: {path: a, hunter2: x}}]",
      "operations: [{hunter2: {path: a}}]",
      "operations: [{put: {path: a, ttl: hunter2}}]",
      "operations:\n  - put:\n      path: a\n      data:\n        k: a\n     hunter2",
      "hunter2",
      '{"operations": [{"put": {"path": "a", "data": {"k": "hunter2}}}]}',
      "operations: [{put: {path: a, data: {k: x # hunter2\n}}}]",
    ]) {
      assert.doesNotMatch(refusal(text), /unter2/, text);
      assert.match(refusal(text), /^f:\d+:\d+: /, text);
    }
  });

  // YAML would silently store another value than the one that is written.
  it("is refused if YAML would ignore a part of a value", () => {
    for (const [value, message] of [
      ["&a b", /& begins a YAML anchor here/],
      ["*a", /\* begins a YAML alias here/],
      ["!a b", /! begins a YAML tag/],
      ["a #b", /# begins a comment here/],
      ["", /the key has no value|is empty/],
      ["null", /is empty/],
      ["~", /is empty/],
    ] as const) {
      const text = (quoted: string) => `operations:\n  - put:\n      path: a\n      data:\n        k: ${quoted}\n`;
      assert.match(refusal(text(value)), message);
      // The control: in quotes, it is a text.
      const [operation] = read(text(JSON.stringify(value))).operations;
      assert.deepEqual((operation as FileOperation & { kind: "put" }).fields.data, [
        { key: "k", source: { kind: "literal", text: value } },
      ]);
    }
  });
});

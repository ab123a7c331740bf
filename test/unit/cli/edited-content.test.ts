import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { describe, it } from "node:test";
import fc from "fast-check";
import { formatForEditor, parseEdited } from "../../../src/cli/document/edited-content.ts";
import { readFlatObject } from "../../../src/cli/document/flat-object.ts";
import { Content, type ContentEntry } from "../../../src/domain/content.ts";

const surroundings = { stdin: new PassThrough(), stdout: new PassThrough(), stderr: new PassThrough() };
const edit = (entries: readonly ContentEntry[]) =>
  formatForEditor({ path: "a/b", version: 3, content: Content.unchecked(entries) });
const parse = async (text: string) => (await parseEdited(Buffer.from(text), surroundings)).entries();
const text = (key: string, value: string): ContentEntry => ({ key, kind: "text", value: Buffer.from(value) });
const binary = (key: string, value: Uint8Array): ContentEntry => ({ key, kind: "binary", value: Buffer.from(value) });

/** Any text, and texts of characters that have a meaning in YAML. */
const values = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string({ unit: fc.constantFrom(..." \t\n\r#:-&*!|>'\"%@`{}[],?~\\\u0085\u2028\ufeffab01.") }),
  fc.constantFrom("null", "true", "~", "0123", "1e3", "0x1f", "...", "---", "<<", "2027-01-31", "=", "|", ">-", "- a"),
);
const keys = fc.oneof(
  fc.stringMatching(/^[A-Za-z0-9._-]{1,20}$/),
  fc.constantFrom("null", "true", "1", "1.0", "-", "__proto__", "~", "..."),
);
const entries = fc.uniqueArray(
  fc.oneof(
    fc.tuple(keys, values).map(([key, value]) => text(key, value)),
    fc.tuple(keys, fc.uint8Array()).map(([key, value]) => binary(key, value)),
  ),
  { selector: ({ key }) => key, minLength: 1 },
);

describe("the document of an editor", () => {
  it("shows texts as YAML, and binary values in base64", () => {
    const shown = edit([text("user", "app"), text("pem", "a\nb\n"), binary("der", Uint8Array.of(0, 255))]);
    assert.match(shown, /^# a\/b, version 3\./);
    assert.equal(shown.replace(/^#.*\n/gm, ""), "user: app\npem: |\n  a\n  b\nder:\n  base64: AP8=\n");
  });

  // A user who changes one value must not change another one.
  it("returns exactly the content that it shows", async () => {
    await fc.assert(
      fc.asyncProperty(entries, async (content) => {
        assert.deepEqual(await parse(edit(content)), content);
      }),
      { numRuns: 2000 },
    );
  });

  // The writer of YAML loses the spaces of an empty first line, unless the text is in quotes.
  it("keeps white space at the beginning of a text of several lines", async () => {
    for (const value of [" \n", "  \n  a\n", "\t\n", "\n \n", " a\n b", "\n", "\n\n a", " \n\n", "   \na"]) {
      assert.deepEqual(await parse(edit([text("k", value)])), [text("k", value)], JSON.stringify(value));
    }
  });

  it("is refused with lines and without showing a part of it", async () => {
    for (const [document, message] of [
      ["", /^the document has no key/],
      ["# only a comment\n", /^the document has no key/],
      ["a: [hunter2]\n", /^line:1:4: a value must be a text/],
      ["a: {file: hunter2}\n", /^line:1:4: a value must be a text, or a mapping with the key base64$/],
      ["a: x\nhunter2\n", /^line:2:1: /],
    ] as const) {
      await assert.rejects(parse(document), (error: Error) => {
        assert.match(error.message, message);
        assert.doesNotMatch(error.message, /hunter2/);
        return true;
      });
    }
  });
});

describe("a flat JSON object", () => {
  const flat = (json: string) => readFlatObject(Buffer.from(json), "f");
  const literal = (key: string, value: string) => ({ key, source: { kind: "literal", text: value } });

  it("becomes keys with exactly its texts", () => {
    const objects = fc.dictionary(keys, values, { minKeys: 1 });
    fc.assert(
      fc.property(objects, fc.constantFrom(undefined, 2, "\t"), (object, indent) => {
        const expected = Object.entries(object).map(([key, value]) => literal(key, value));
        assert.deepEqual(flat(JSON.stringify(object, undefined, indent)), expected);
      }),
      { numRuns: 2000 },
    );
  });

  // JSON.parse would change these numbers.
  it("keeps numbers and booleans as they are written", () => {
    assert.deepEqual(flat('{"a": 1.0, "b": 12345678901234567890, "c": -1e3, "d": false}'), [
      literal("a", "1.0"),
      literal("b", "12345678901234567890"),
      literal("c", "-1e3"),
      literal("d", "false"),
    ]);
  });

  it("is refused if it is not flat, and without showing a part of it", () => {
    for (const [json, message] of [
      ["{}", /^f has no key/],
      ["[]", /^f:1:1: the document must be a mapping/],
      ['{"a": {"b": "hunter2"}}', /^f:1:7: a value must be a text$/],
      ['{"a": ["hunter2"]}', /^f:1:7: a value must be a text$/],
      ['{"a": null}', /^f:1:7: a value is empty/],
      ['{"a": "1", "a": "hunter2"}', /^f:1:12: the key is repeated$/],
      ['{"a": "\\ud800"}', /^f:1:7: half of a surrogate pair/],
      ['{"a": "hunter2}', /^f:\d+:\d+: /],
    ] as const) {
      assert.throws(
        () => flat(json),
        (error: Error) => {
          assert.match(error.message, message);
          assert.doesNotMatch(error.message, /hunter2/);
          return true;
        },
      );
    }
  });
});

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, it } from "node:test";
import fc from "fast-check";
import { CommandFailed } from "../../../src/cli/command-failed.ts";
import { type SecretFormat, formatSecret } from "../../../src/cli/secret-format.ts";
import type { Secret } from "../../../src/client/read-secret.ts";
import { Content, type ContentEntry } from "../../../src/domain/content.ts";

function secret(...entries: ContentEntry[]): Secret {
  return {
    kind: "secret",
    path: "shop/db",
    version: 2,
    revision: 7,
    createTime: 0,
    expireTime: undefined,
    content: Content.unchecked(entries),
    storeRevision: 9,
  };
}

const text = (key: string, value: string): ContentEntry => ({ key, kind: "text", value: Buffer.from(value) });
const binary = (key: string, value: Uint8Array): ContentEntry => ({ key, kind: "binary", value });

function format(form: SecretFormat, ...entries: ContentEntry[]): Buffer {
  return formatSecret(secret(...entries), entries, form);
}

const usage = (error: unknown) => error instanceof CommandFailed && error.outcome === "usage";

describe("env", () => {
  it("quotes for sh", () => {
    const lines = format("env", text("A", "plain"), text("_b1", "it's $HOME `x`\n\\"), text("C", ""));
    assert.equal(lines.toString(), "export A='plain'\nexport _b1='it'\\''s $HOME `x`\n\\'\nexport C=''\n");
  });

  // The oracle is sh itself: after it has evaluated the lines, the variable has exactly the bytes of the value.
  it("preserves every value through sh, byte by byte", () => {
    const value = fc.oneof(
      fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes.filter((byte) => byte !== 0))),
      fc
        .string({ unit: fc.constantFrom("'", '"', "$", "`", "\\", "\n", " ", "!", "*", ";", "&") })
        .map((s) => Buffer.from(s)),
    );
    fc.assert(
      fc.property(value, (bytes) => {
        const script = Buffer.concat([format("env", binary("V", bytes)), Buffer.from('printf %s "$V"')]);
        assert.deepEqual(spawnSync("sh", [], { input: script, env: {} }).stdout, bytes);
      }),
      { numRuns: 60 },
    );
  });

  // Otherwise the writer of the secret would choose what the shell, or a program that it starts, runs.
  it("refuses variables that loaders or shells read", () => {
    for (const key of ["PATH", "LD_PRELOAD", "BASH_ENV", "KRB5_CONFIG"])
      assert.throws(() => format("env", text(key, "v")), usage);
    assert.doesNotThrow(() => format("env", text("PATHS", "v")));
  });

  // A key that is not a name would change the command line: `a;b`, `a b`. A variable can't contain a NUL.
  it("refuses keys and values that can't be a variable", () => {
    for (const key of ["tls.key", "1a", "a-b", "__proto__.x"])
      assert.throws(() => format("env", text(key, "v")), usage);
    assert.throws(() => format("env", text("A", "a\0b")), usage);
    assert.doesNotThrow(() => format("env", text("__proto__", "v")));
  });
});

describe("json", () => {
  it("has text unchanged and bytes in base64, whatever the keys are", () => {
    const printed = format(
      "json",
      text("__proto__", "x"),
      text("user", 'a"\u0000'),
      binary("key", Buffer.from([255, 0])),
    );
    assert.ok(printed.toString().endsWith("}\n"));
    const parsed = JSON.parse(printed.toString());
    assert.deepEqual(Object.entries(parsed.data), [
      ["__proto__", "x"],
      ["user", 'a"\u0000'],
    ]);
    assert.deepEqual(parsed.binary_data, { key: "/wA=" });
    assert.deepEqual(
      [parsed.path, parsed.version, parsed.revision, parsed.create_time],
      ["shop/db", 2, 7, "1970-01-01T00:00:00.000Z"],
    );
  });
});

describe("raw", () => {
  it("is the bytes of the one value", () => {
    assert.deepEqual(format("raw", binary("a", Buffer.from([0, 255, 10]))), Buffer.from([0, 255, 10]));
  });

  it("refuses to concatenate several values", () => {
    assert.throws(() => format("raw", text("a", "1"), text("b", "2")), usage);
  });
});

describe("table", () => {
  // Otherwise a value could clear the screen, change the window's title, or reverse the direction of text.
  it("escapes characters that move the cursor or hide text", () => {
    const lines = format(
      "table",
      text("key", "a\u001b[2Jb\u009b\r\n\t\u202ec\u200bd\u2028"),
      binary("bytes", Buffer.alloc(3)),
    );
    assert.equal(
      lines.toString(),
      "KEY    VALUE\nkey    a\\u001b[2Jb\\u009b\\u000d\\u000a\\u0009\\u202ec\\u200bd\\u2028\nbytes  (3 bytes)\n",
    );
    assert.equal(format("table", text("k", "grün 日本 \\ '")).toString(), "KEY  VALUE\nk    grün 日本 \\ '\n");
  });
});

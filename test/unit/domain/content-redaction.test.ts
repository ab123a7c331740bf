import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { format, inspect } from "node:util";
import { deserialize, serialize } from "node:v8";
import { Content } from "../../../src/domain/content.ts";

const PASSWORD = "correct-horse-battery";

function content(): Content {
  return Content.unchecked([
    { key: "user", kind: "text", value: Buffer.from("app") },
    { key: "password", kind: "text", value: Buffer.from(PASSWORD) },
    { key: "key", kind: "binary", value: Buffer.from([0xff, 0x00]) },
  ]);
}

/** Each function or syntax that turns an object into text or bytes, by its name. */
const OUTPUTS: Readonly<Record<string, (value: object) => string | Buffer>> = {
  "a template string": (value) => `${value}`,
  "string concatenation": (value) => `the secret is ${String(value)}`,
  "JSON.stringify": (value) => JSON.stringify({ value, list: [value] }),
  "util.inspect": (value) => inspect(value),
  "util.inspect of hidden properties, without custom inspection": (value) =>
    inspect(value, { showHidden: true, customInspect: false, depth: Number.POSITIVE_INFINITY, getters: true }),
  "console.log, whose formats are those of util.format": (value) =>
    format("%s %o %O %j %d", value, value, value, value, value),
  structuredClone: (value) => inspect(structuredClone(value), { depth: 9 }),
  "v8.serialize, as postMessage does": (value) =>
    Buffer.concat([serialize(value), Buffer.from(inspect(deserialize(serialize(value))))]),
  "the message and the stack of an error": (value) => inspect(new Error(`failed with ${value}`, { cause: value })),
  "Object.entries and spread": (value) =>
    inspect([Object.entries(value), { ...value }, Object.getOwnPropertyNames(value)]),
};

function holds(output: string | Buffer): boolean {
  return Buffer.from(output).includes(PASSWORD) || /correct|horse/.test(output.toString());
}

describe("the content of a secret", () => {
  for (const [name, output] of Object.entries(OUTPUTS)) {
    // The control: the same output shows the value of an object that is not redacted.
    it(`is not in ${name}`, () => {
      assert.ok(!holds(output(content())), String(output(content())));
      const plain = { password: PASSWORD, toString: () => PASSWORD };
      const visible = name === "structuredClone" || name.startsWith("v8") ? { password: PASSWORD } : plain;
      assert.ok(holds(output(visible)));
    });
  }

  it("returns its values when it is asked for them", () => {
    const secret = content();
    assert.deepEqual(secret.keys(), ["user", "password", "key"]);
    assert.equal(secret.text("password"), PASSWORD);
    assert.deepEqual(secret.bytes("key"), Buffer.from([0xff, 0x00]));
    assert.equal(secret.text("missing"), undefined);
    assert.equal(secret.bytes("missing"), undefined);
  });

  // Decoding the bytes with replacement characters would return another value than the one that was stored.
  it("does not return bytes that are not UTF-8 as text", () => {
    assert.throws(() => content().text("key"), { name: "RangeError", message: /^the value of "key" is not UTF-8/ });
  });

  it("overwrites its bytes when it is disposed, and returns no value afterwards", () => {
    const secret = content();
    const bytes = secret.bytes("password");
    secret[Symbol.dispose]();
    assert.deepEqual(bytes, Buffer.alloc(PASSWORD.length));
    assert.throws(() => secret.text("password"), { name: "TypeError", message: "the content is disposed" });
    assert.throws(() => secret.entries(), TypeError);
    assert.equal(String(secret), "[content: disposed]");
    secret.dispose();
  });
});

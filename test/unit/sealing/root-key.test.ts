import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseRootKey, RootKeyRefused, rootKeyText } from "../../../src/sealing/root-key.ts";
import { SecretKey } from "../../../src/sealing/secret-key.ts";

const KEY = Buffer.from("00ff10e3a55a7f80c1d2e3f405162738495a6b7c8d9eafb0c1d2e3f4fefdfc01", "hex");
const HEX = KEY.toString("hex");
const BASE64 = KEY.toString("base64");

const accepted: readonly (readonly [string, Buffer])[] = [
  ["32 bytes", KEY],
  ["hex", Buffer.from(HEX)],
  ["hex in capitals", Buffer.from(HEX.toUpperCase())],
  ["hex and a line break", Buffer.from(`${HEX}\n`)],
  ["hex and a Windows line break", Buffer.from(`${HEX}\r\n`)],
  ["base64", Buffer.from(BASE64)],
  ["base64 and a line break", Buffer.from(`${BASE64}\n`)],
];

const refused: readonly (readonly [string, Buffer, string])[] = [
  ["nothing", Buffer.alloc(0), "unknown form"],
  ["31 bytes", KEY.subarray(1), "unknown form"],
  ["33 bytes", Buffer.concat([KEY, Buffer.alloc(1)]), "unknown form"],
  ["32 bytes and a line break", Buffer.concat([KEY, Buffer.from("\n")]), "unknown form"],
  ["32 typed characters", Buffer.from("correct horse battery staple 123"), "passphrase"],
  ["31 typed characters and a line break", Buffer.from("correct horse battery staple 12\n"), "passphrase"],
  ["32 hex digits: 16 bytes", Buffer.from(HEX.slice(0, 32)), "passphrase"],
  ["63 hex digits", Buffer.from(HEX.slice(1)), "unknown form"],
  ["64 characters of which one is not a hex digit", Buffer.from(`${HEX.slice(1)}g`), "unknown form"],
  ["hex after a blank", Buffer.from(` ${HEX}`), "unknown form"],
  ["hex and two line breaks", Buffer.from(`${HEX}\n\n`), "unknown form"],
  ["base64 without padding", Buffer.from(BASE64.slice(0, 43)), "unknown form"],
  ["base64 of 33 bytes", Buffer.from(Buffer.concat([KEY, Buffer.alloc(1)]).toString("base64")), "unknown form"],
  ["base64 with a bit set after the last byte", Buffer.from(`${BASE64.slice(0, 42)}F=`), "unknown form"],
  ["base64 for URLs", Buffer.from(BASE64.replaceAll("/", "_").replaceAll("+", "-")), "unknown form"],
];

describe("a root key", () => {
  // Every documented form gives the same key.
  for (const [form, raw] of accepted) {
    it(`can be ${form}`, () => assert.ok(parseRootKey(raw, "file").bytes.equals(KEY)));
  }

  // Every other form is refused, and the error contains nothing of the content.
  for (const [form, raw, problem] of refused) {
    it(`can't be ${form}`, () => {
      assert.throws(
        () => parseRootKey(raw, "the-file"),
        (error: unknown) => {
          assert.ok(error instanceof RootKeyRefused);
          assert.equal(error.problem, problem);
          assert.match(error.message, /^the-file /);
          if (raw.length > 8) assert.equal(error.message.includes(raw.toString("latin1").slice(0, 8)), false);
          return true;
        },
      );
    });
  }

  // This release reads the text form that it writes.
  it("is equal after it was formatted and parsed", () => {
    const key = SecretKey.random();
    assert.ok(parseRootKey(rootKeyText(key), "file").bytes.equals(key.bytes));
    assert.match(rootKeyText(key).toString(), /^[0-9a-f]{64}\n$/);
  });
});

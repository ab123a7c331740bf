import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, it } from "node:test";
import { inspect } from "node:util";
import { SecretKey } from "../../../src/sealing/secret-key.ts";

describe("a secret key", () => {
  // Moving a key leaves no second copy behind.
  it("empties the buffer that it is taken from", () => {
    const source = Buffer.alloc(32, 9);
    const key = SecretKey.take(source);
    assert.ok(key.bytes.equals(Buffer.alloc(32, 9)));
    assert.deepEqual(source, Buffer.alloc(32));
  });

  // A shorter key is refused instead of being filled up with zeros.
  it("has exactly 32 bytes", () => {
    for (const length of [0, 31, 33]) assert.throws(() => SecretKey.take(Buffer.alloc(length)), RangeError);
  });

  // Nothing that a program prints by accident shows it.
  it("shows nothing of itself", () => {
    const key = SecretKey.take(Buffer.from("K".repeat(32)));
    const shown = [String(key), JSON.stringify({ key }), inspect({ key }, { depth: 9, showHidden: true })].join();
    assert.match(shown, /secret key/);
    assert.doesNotMatch(shown, /KKK|4b4b|75, ?75/);
  });

  // After wiping there is nothing to read, and a use is an error of its own.
  it("is gone once it is wiped", () => {
    const key = SecretKey.random();
    const { bytes } = key;
    assert.ok(!bytes.equals(Buffer.alloc(32)));
    key.wipe();
    key.wipe();
    assert.ok(bytes.equals(Buffer.alloc(32)));
    assert.throws(() => key.bytes, /wiped/);
  });

  // Its memory is read-only: a stray write ends the process instead of changing the key. Reading is the control.
  it("can be read, and not written", () => {
    const url = new URL("../../../src/sealing/secret-key.js", import.meta.url);
    const run = (action: string) => {
      const script = `const { SecretKey } = await import(${JSON.stringify(url.href)});
        const { bytes } = SecretKey.random(); ${action}; console.log("alive")`;
      return spawnSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" });
    };
    assert.match(run("bytes[0]").stdout, /alive/);
    const writing = run("bytes[0] = 1");
    assert.equal(writing.stdout, "");
    assert.notEqual(writing.signal, null);
  });
});

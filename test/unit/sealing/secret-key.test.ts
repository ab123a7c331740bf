import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, it } from "node:test";
import { inspect } from "node:util";
import { SecretKey } from "../../../src/sealing/secret-key.ts";

describe("a secret key", () => {
  // No second copy of the key stays in memory.
  it("overwrites the buffer from which it is taken", () => {
    const source = Buffer.alloc(32, 9);
    const key = SecretKey.take(source);
    assert.ok(key.bytes.equals(Buffer.alloc(32, 9)));
    assert.deepEqual(source, Buffer.alloc(32));
  });

  // A shorter key is refused, and not padded with zeros.
  it("has exactly 32 bytes", () => {
    for (const length of [0, 31, 33]) assert.throws(() => SecretKey.take(Buffer.alloc(length)), RangeError);
  });

  // A program that prints the object by mistake does not print the key.
  it("shows nothing of the key when it is printed", () => {
    const key = SecretKey.take(Buffer.from("K".repeat(32)));
    const shown = [String(key), JSON.stringify({ key }), inspect({ key }, { depth: 9, showHidden: true })].join();
    assert.match(shown, /secret key/);
    assert.doesNotMatch(shown, /KKK|4b4b|75, ?75/);
  });

  // After a wipe, the memory is zero, and each use throws.
  it("can't be used after it was wiped", () => {
    const key = SecretKey.random();
    const { bytes } = key;
    assert.ok(!bytes.equals(Buffer.alloc(32)));
    key.wipe();
    key.wipe();
    assert.ok(bytes.equals(Buffer.alloc(32)));
    assert.throws(() => key.bytes, /wiped/);
  });

  // The memory is read-only: a write by mistake ends the process and does not change the key. A read is the control.
  it("can be read and not written", () => {
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

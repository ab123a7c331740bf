import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { DataKeyBroken, type DataKeyFailure, unwrapDataKey, wrapDataKey } from "../../../src/sealing/data-key.ts";
import { SecretKey } from "../../../src/sealing/secret-key.ts";

const STORE_ID = Buffer.alloc(16, 1);
const rootKey = (byte = 5) => SecretKey.take(Buffer.alloc(32, byte));
const dataKey = () => SecretKey.take(Buffer.alloc(32, 8));

function failureOf(unwrap: () => unknown): DataKeyFailure | "unwrapped" {
  try {
    unwrap();
    return "unwrapped";
  } catch (error) {
    if (error instanceof DataKeyBroken) return error.failure;
    throw error;
  }
}

describe("a wrapped data key", () => {
  // Unwrapping returns the same key, and the wrapped form does not contain it.
  it("unwraps with its root key", () => {
    const wrapped = wrapDataKey(dataKey(), 1, rootKey(), STORE_ID);
    assert.ok(unwrapDataKey(wrapped, rootKey(), STORE_ID).bytes.equals(Buffer.alloc(32, 8)));
    assert.equal(wrapped.wrapped.includes(dataKey().bytes.subarray(0, 4)), false);
  });

  // An operator corrects a wrong root key with the right key, and damage with a backup, so the two errors must differ.
  it("distinguishes a wrong root key from damage", () => {
    const { wrapped } = wrapDataKey(dataKey(), 1, rootKey(), STORE_ID);
    const unwrap = (bytes: Buffer, keyId = 1, root = rootKey(), storeId = STORE_ID) =>
      failureOf(() => unwrapDataKey({ keyId, wrapped: bytes }, root, storeId));
    assert.equal(unwrap(wrapped), "unwrapped");
    assert.equal(unwrap(wrapped, 1, rootKey(6)), "wrong root key");
    assert.equal(unwrap(wrapped.subarray(0, -1)), "damaged");
    assert.equal(unwrap(Buffer.concat([wrapped, Buffer.alloc(1)])), "damaged");
    assert.equal(unwrap(wrapped.map((byte, at) => (at === 40 ? byte ^ 1 : byte)) as Buffer), "damaged");
    assert.equal(unwrap(Buffer.alloc(0)), "damaged");
    assert.equal(unwrap(wrapped, 2), "damaged", "another number");
    assert.equal(unwrap(wrapped, 1, rootKey(), Buffer.alloc(16, 2)), "damaged", "another store");
  });
});

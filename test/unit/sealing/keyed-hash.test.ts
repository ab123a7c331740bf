import assert from "node:assert/strict";
import { it } from "node:test";
import { KeyedHash } from "../../../src/sealing/keyed-hash.ts";
import { SecretKey } from "../../../src/sealing/secret-key.ts";
import { XChaChaSealer } from "../../../src/sealing/xchacha-sealer.ts";

const key = (byte: number) => SecretKey.take(Buffer.alloc(32, byte));
const hex = (hash: KeyedHash, ...parts: string[]) =>
  hash.digest(parts.map((part) => Buffer.from(part))).toString("hex");

// Computed with Python: k = blake2b(b"coffer digest", key=b"\x07"*32, digest_size=32).digest(), then
// blake2b(b"onetwo", key=k, digest_size=32).hexdigest().
const VECTOR = "6397b44e4705923d5a85b9ac58753869e2c406654111f6b1150a4ce1c9dc5c51";

it("a keyed hash is BLAKE2b with a key that is derived from another key and a purpose", () => {
  assert.equal(hex(new KeyedHash(key(7), "digest"), "one", "two"), VECTOR);
});

it("a keyed hash differs with the key, the purpose and the message", () => {
  const digests = [
    hex(new KeyedHash(key(7), "digest"), "one"),
    hex(new KeyedHash(key(8), "digest"), "one"),
    hex(new KeyedHash(key(7), "other"), "one"),
    hex(new KeyedHash(key(7), "digest"), "onf"),
    hex(new KeyedHash(key(7), "digest")),
  ];
  assert.equal(new Set(digests).size, digests.length);
});

// After a restart, another sealer has the same key.
it("a sealer computes the same digests as another one with the same key, and none after it is closed", () => {
  const sealer = () => new XChaChaSealer({ key: key(7), keyId: 1, storeId: Buffer.alloc(16) });
  const [one, other] = [sealer(), sealer()];
  const parts = [Buffer.from("one"), Buffer.from("two")];
  assert.equal(one.digest(parts).toString("hex"), VECTOR);
  assert.ok(one.digest(parts).equals(other.digest(parts)));
  one.close();
  assert.throws(() => one.digest(parts), /wiped/);
});

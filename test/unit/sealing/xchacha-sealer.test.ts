import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { pageTokenContext, versionContext } from "../../../src/sealing/context.ts";
import { SealBroken, type SealFailure } from "../../../src/sealing/sealer.ts";
import { SecretKey } from "../../../src/sealing/secret-key.ts";
import { XChaChaSealer } from "../../../src/sealing/xchacha-sealer.ts";
import { hchacha20, referenceSeal } from "./reference.ts";
import { vectorSealer, vectors } from "./vectors.ts";

const STORE_ID = Buffer.alloc(16, 7);

function randomSealer(keyId = 1): XChaChaSealer {
  return new XChaChaSealer({ key: SecretKey.random(), keyId, storeId: STORE_ID });
}

function failureOf(open: () => unknown): SealFailure | "opened" {
  try {
    open();
    return "opened";
  } catch (error) {
    if (error instanceof SealBroken) return error.failure;
    throw error;
  }
}

describe("the format of sealed bytes", () => {
  // Bytes that an earlier release sealed always open. The vectors with invalid bytes fail with their `failure`.
  for (const { name, path, version, sealed, plaintext, failure } of vectors.cases) {
    it(`vector: ${name}`, () => {
      const open = () => vectorSealer().open(Buffer.from(sealed, "hex"), versionContext(path, version));
      if (failure === undefined) assert.equal(open().toString("hex"), plaintext);
      else assert.equal(failureOf(open), failure);
    });
  }

  // This release writes the bytes of the vectors, and does not only read them.
  it("is written as in the vectors", () => {
    for (const { path, version, sealed, plaintext } of vectors.cases) {
      if (plaintext === undefined) continue;
      const nonce = Buffer.from(sealed, "hex").subarray(6, 30);
      const again = vectorSealer(nonce).seal(Buffer.from(plaintext, "hex"), versionContext(path, version));
      assert.equal(again.toString("hex"), sealed);
    }
  });

  // An implementation from the specification alone agrees with libsodium.
  it("is XChaCha20-Poly1305 over header, store id and context", () => {
    for (const { path, version, sealed, plaintext } of vectors.cases) {
      if (plaintext === undefined) continue;
      const bytes = Buffer.from(sealed, "hex");
      const associated = [
        bytes.subarray(0, 6),
        Buffer.from(vectors.storeId, "hex"),
        Buffer.from(versionContext(path, version)),
      ];
      const key = Buffer.from(vectors.key, "hex");
      const nonce = bytes.subarray(6, 30);
      const expected = referenceSeal(key, nonce, Buffer.concat(associated), Buffer.from(plaintext, "hex"));
      assert.equal(bytes.subarray(30).toString("hex"), expected.toString("hex"));
    }
  });

  // The test vector is that of draft-irtf-cfrg-xchacha-03, section 2.2.1.
  it("is checked by a reference whose HChaCha20 returns the test vector of its draft", () => {
    const key = Buffer.from(Array.from({ length: 32 }, (_, index) => index));
    const nonce = Buffer.from("000000090000004a0000000031415927", "hex");
    const expected = "82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc";
    assert.equal(hchacha20(key, nonce).toString("hex"), expected);
  });
});

describe("a sealer", () => {
  // Opening returns the same bytes, and the sealed form is longer by exactly the overhead.
  it("opens the bytes that it sealed", () => {
    const sealer = randomSealer();
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 3000 }),
        fc.string({ unit: "binary", maxLength: 3000 }),
        (plaintext, context) => {
          const sealed = sealer.seal(plaintext, context);
          assert.equal(sealed.length, plaintext.length + sealer.overhead);
          assert.deepEqual(sealer.open(sealed, context), Buffer.from(plaintext));
        },
      ),
    );
  });

  // Every bit of the header, the nonce, the ciphertext, the tag and the context is authenticated.
  it("refuses any flipped bit", () => {
    const sealer = randomSealer();
    const context = versionContext("a/b", 3);
    const sealed = sealer.seal(Buffer.from("value"), context);
    const flipped = (bytes: Buffer, bit: number) => {
      const copy = Buffer.from(bytes);
      copy[bit >> 3]! ^= 1 << (bit & 7);
      return copy;
    };
    assert.equal(
      failureOf(() => sealer.open(sealed, context)),
      "opened",
    );
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      assert.notEqual(
        failureOf(() => sealer.open(flipped(sealed, bit), context)),
        "opened",
        `bit ${bit}`,
      );
    }
    for (let at = 0; at < context.length; at++) {
      const other = `${context.slice(0, at)}#${context.slice(at + 1)}`;
      assert.equal(
        failureOf(() => sealer.open(sealed, other)),
        "not authentic",
        `character ${at}`,
      );
    }
  });

  // Truncated bytes are never read beyond their end.
  it("refuses every prefix as truncated or not authentic", () => {
    const sealer = randomSealer();
    const context = versionContext("a/b", 3);
    const sealed = sealer.seal(Buffer.from("value"), context);
    for (let length = 0; length < sealed.length; length++) {
      const expected = length < sealer.overhead ? "truncated" : "not authentic";
      assert.equal(
        failureOf(() => sealer.open(sealed.subarray(0, length), context)),
        expected,
      );
    }
  });

  // Sealed bytes open only with their own path, version, purpose, store and key.
  it("refuses bytes of another context, store or key", () => {
    const key = Buffer.alloc(32, 3);
    const sealerOf = (keyId: number, storeId: Buffer) =>
      new XChaChaSealer({ key: SecretKey.take(Buffer.from(key)), keyId, storeId });
    const sealed = sealerOf(1, STORE_ID).seal(Buffer.from("value"), versionContext("a", 1));
    const same = sealerOf(1, STORE_ID);
    assert.equal(
      failureOf(() => same.open(sealed, versionContext("a", 1))),
      "opened",
    );
    assert.equal(
      failureOf(() => same.open(sealed, versionContext("b", 1))),
      "not authentic",
    );
    assert.equal(
      failureOf(() => same.open(sealed, versionContext("a", 2))),
      "not authentic",
    );
    assert.equal(
      failureOf(() => same.open(sealed, pageTokenContext("1", "a"))),
      "not authentic",
    );
    assert.equal(
      failureOf(() => sealerOf(1, Buffer.alloc(16)).open(sealed, versionContext("a", 1))),
      "not authentic",
    );
    assert.equal(
      failureOf(() => sealerOf(2, STORE_ID).open(sealed, versionContext("a", 1))),
      "unknown key",
    );
    assert.equal(
      failureOf(() => randomSealer().open(sealed, versionContext("a", 1))),
      "not authentic",
    );
  });

  // Equal contents have different sealed forms.
  it("never returns the same sealed form twice", () => {
    const sealer = randomSealer();
    const once = () => sealer.seal(Buffer.from("value"), versionContext("a", 1)).toString("hex");
    assert.equal(new Set(Array.from({ length: 100 }, once)).size, 100);
  });

  // Neither the sealed form nor the plaintext shares memory with another result or with Node's pool.
  it("returns memory that is not shared", () => {
    const sealer = randomSealer();
    const all = Array.from({ length: 20_000 }, (_, i) => sealer.seal(Buffer.from(String(i)), versionContext("a", i)));
    assert.ok(all.every((each, i) => sealer.open(each, versionContext("a", i)).toString() === String(i)));
    const sealed = sealer.seal(Buffer.from("value"), versionContext("a", 1));
    const opened = Array.from({ length: 20_000 }, () => sealer.open(sealed, versionContext("a", 1)));
    opened[0]!.fill(0);
    opened.at(-1)!.fill(0);
    assert.ok(opened.slice(1, -1).every((plaintext) => plaintext.equals(Buffer.from("value"))));
    assert.notEqual(opened[1]!.buffer, Buffer.from("of Node's own pool").buffer);
    assert.notEqual(opened[1]!.buffer, sealed.buffer);
  });

  // Use of a wiped key is a bug in the program, and must not be reported as damaged content.
  it("throws after it was closed", () => {
    const sealer = randomSealer();
    const sealed = sealer.seal(Buffer.from("value"), versionContext("a", 1));
    sealer.close();
    assert.throws(() => sealer.open(sealed, versionContext("a", 1)), /the key is wiped/);
    assert.throws(() => sealer.seal(Buffer.from("value"), versionContext("a", 1)), /the key is wiped/);
  });
});

describe("contexts", () => {
  // Different parts never result in the same context, even if the parts contain the separators.
  it("are equal only for equal parts", () => {
    const part = fc.string({ unit: fc.constantFrom("a", "1", "\0", "/"), maxLength: 4 });
    fc.assert(
      fc.property(part, part, part, part, (caller, prefix, otherCaller, otherPrefix) => {
        const equal = pageTokenContext(caller, prefix) === pageTokenContext(otherCaller, otherPrefix);
        assert.equal(equal, caller === otherCaller && prefix === otherPrefix);
      }),
      { numRuns: 1000 },
    );
  });
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { ChunkPool } from "../../../src/threads/chunk-pool.ts";

describe("the pool of shared memory", () => {
  it("gives memory that is long enough, and at most an eighth longer", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5_000_000 }), (bytes) => {
        const { byteLength } = new ChunkPool().take(bytes);
        assert.ok(byteLength >= bytes && byteLength <= bytes * 1.125, `${byteLength} for ${bytes}`);
      }),
    );
  });

  it("gives free memory of the same size, each once", () => {
    const pool = new ChunkPool();
    const [first, second] = [pool.take(1000), pool.take(1001)];
    pool.give(first!);
    pool.give(second!);
    assert.notEqual(pool.take(5000), first, "it is too short");
    assert.deepEqual(new Set([pool.take(1000), pool.take(1000)]), new Set([first, second]));
    const another = pool.take(1000);
    assert.ok(another !== first && another !== second);
  });

  // A store that shrinks must not keep its memory for ever.
  it("keeps the newest free memory, up to its maximum", () => {
    const pool = new ChunkPool(3 * 1024);
    const given = Array.from({ length: 5 }, () => pool.take(1024));
    for (const memory of given) pool.give(memory);
    const taken = Array.from({ length: 5 }, () => pool.take(1024));
    assert.deepEqual(
      given.map((memory) => taken.includes(memory)),
      [false, false, true, true, true],
    );
  });
});

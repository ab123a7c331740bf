import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Slab } from "../../../src/persistence/slab.ts";

describe("a slab", () => {
  // Packed or not, across any number of slabs, every copy keeps its value when others follow.
  it("keeps each value apart", () => {
    const length = fc.oneof(fc.nat(500), fc.nat(70_000), fc.constantFrom(0, 65_536, 65_537, 1_048_576));
    fc.assert(
      fc.property(fc.array(length, { maxLength: 60 }), (lengths) => {
        const slab = new Slab();
        const values = lengths.map((length, index) => Buffer.alloc(length, index + 1));
        const copies = values.map((value) => slab.copy(value));
        for (const [index, copy] of copies.entries()) assert.ok(copy.equals(values[index]!));
      }),
      { numRuns: 50 },
    );
  });

  // Small values share memory: that is what it is for.
  it("packs small values together", () => {
    const slab = new Slab();
    const [first, second] = [slab.copy(Buffer.alloc(300)), slab.copy(Buffer.alloc(300))];
    assert.equal(first.buffer, second.buffer);
  });
});

import assert from "node:assert/strict";
import { it } from "node:test";
import fc from "fast-check";
import type { SecretPath } from "../../../src/domain/secret-path.ts";
import { PathIndex } from "../../../src/store/path-index.ts";

const path = fc.stringMatching(/^[a-c]{1,6}(\/[a-c]{1,3})?$/);

/** The paths from a start on, each from its own call of `atOrAfter`. */
function walk(index: PathIndex, start: string): string[] {
  const paths: string[] = [];
  for (let path = index.atOrAfter(start); path !== undefined; path = index.atOrAfter(`${path}\0`)) paths.push(path);
  return paths;
}

// For any paths, added in any order, the index returns the same paths as a sorted array, from any start, inclusive or
// not.
it("a path index returns its paths in order", () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(path, { maxLength: 1500, minLength: 0 }),
      path,
      fc.boolean(),
      (paths, start, inclusive) => {
        const index = new PathIndex();
        for (const added of paths) index.add(added as SecretPath);
        const expected = [...paths].sort().filter((each) => each > start || (inclusive && each === start));
        assert.deepEqual(walk(index, inclusive ? start : `${start}\0`), expected);
        assert.equal(index.count(inclusive ? start : `${start}\0`, "d"), expected.length);
        assert.equal(index.count("", "b"), paths.filter((each) => each < "b").length);
      },
    ),
    { numRuns: 200 },
  );
});

// For any additions and removals, also of whole chunks, the index has the paths that are left.
it("a path index forgets the paths that are removed", () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(path, { minLength: 1, maxLength: 1500 }),
      fc.integer({ min: 1, max: 5 }),
      (paths, rest) => {
        const index = new PathIndex();
        for (const added of paths) index.add(added as SecretPath);
        for (const [i, removed] of paths.entries()) if (i % rest > 0) index.remove(removed as SecretPath);
        const kept = paths.filter((_, i) => i % rest === 0);
        assert.deepEqual(walk(index, ""), [...kept].sort());
        for (const removed of kept) index.remove(removed as SecretPath);
        assert.equal(index.atOrAfter(""), undefined);
        assert.throws(() => index.remove("a" as SecretPath), /not in the index/);
        for (const added of paths) index.add(added as SecretPath);
        assert.deepEqual(walk(index, ""), [...paths].sort());
      },
    ),
    { numRuns: 100 },
  );
});

// There are enough paths to split chunks many times, and the orders are the worst ones for splitting.
it("a path index stays sorted when its chunks are split", () => {
  const paths = Array.from({ length: 5000 }, (_, i) => `p/${String(i).padStart(5, "0")}`);
  for (const order of [
    paths,
    [...paths].reverse(),
    paths.filter((_, i) => i % 2).concat(paths.filter((_, i) => !(i % 2))),
  ]) {
    const index = new PathIndex();
    for (const added of order) index.add(added as SecretPath);
    assert.deepEqual(walk(index, ""), paths);
    assert.deepEqual(walk(index, "p/02500\0"), paths.slice(2501));
  }
});

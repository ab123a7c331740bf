import assert from "node:assert/strict";
import { it } from "node:test";
import fc from "fast-check";
import type { SecretPath } from "../../../src/domain/secret-path.ts";
import { ChangeIndex } from "../../../src/store/change-index.ts";
import { after, placeOf } from "../../../src/store/position.ts";
import type { Stored, Tombstone } from "../../../src/store/secret.ts";

/** The changes of one commit: the paths that it changes. */
const commits = fc.array(fc.uniqueArray(fc.nat({ max: 2000 }), { minLength: 1, maxLength: 40 }), { maxLength: 200 });

function stored(number: number, revision: number): Tombstone {
  return { kind: "tombstone", path: `p/${number}` as SecretPath, revision, lastVersion: 1, time: 1, by: "" };
}

/** Everything after a revision, each from its own call of `after`. */
function walk(index: ChangeIndex, revision: number): Stored[] {
  const found: Stored[] = [];
  for (let next = index.after(after(revision)); next !== undefined; next = index.after(placeOf(next))) found.push(next);
  return found;
}

// Whatever changes, in any order within a commit, the index has each path once, at its last change. After any revision, it
// returns what has changed since then, in the order of revisions, and of paths within a revision.
it("an index of changes returns what has changed after a revision, each path once", () => {
  fc.assert(
    fc.property(commits, fc.nat({ max: 200 }), (all, from) => {
      const index = new ChangeIndex();
      const last = new Map<number, Tombstone>();
      for (const [at, changed] of all.entries())
        for (const number of changed) {
          const before = last.get(number);
          if (before !== undefined) index.remove(before);
          const now = stored(number, at + 1);
          index.add(now);
          last.set(number, now);
        }
      const expected = [...last.values()]
        .filter(({ revision }) => revision > from)
        .sort((a, b) => a.revision - b.revision || (a.path < b.path ? -1 : 1));
      assert.deepEqual(walk(index, from), expected);
      assert.equal(index.countAfter(after(from)), expected.length);
      for (const each of last.values()) index.remove(each);
      assert.deepEqual(walk(index, 0), []);
      assert.throws(() => index.remove(stored(1, 1)), /not in the index/);
    }),
  );
});

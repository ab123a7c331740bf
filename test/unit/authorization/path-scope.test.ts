import assert from "node:assert/strict";
import { it } from "node:test";
import fc from "fast-check";
import { PathScope } from "../../../src/authorization/path-scope.ts";
import { PathPattern } from "../../../src/authorization/pattern.ts";
import { parseSecretPath } from "../../../src/domain/secret-path.ts";

// A few short segments, so that patterns often match paths. "-" and "." sort before "/", and "0" and "_" after it.
const segment = fc.constantFrom("a", "a-", "a.b", "a0", "a_", "b", "ab");
const wild = fc.oneof(segment, fc.constant("*"));
const path = fc.array(segment, { minLength: 1, maxLength: 4 }).map((segments) => segments.join("/"));
const pattern = fc
  .tuple(fc.array(wild, { minLength: 1, maxLength: 4 }), fc.boolean())
  .map(([segments, isOpen]) => [...segments, ...(isOpen ? ["**"] : [])].join("/"));

// A scope covers exactly the paths that one of its patterns matches. From any path, `atOrAfter` never skips the next
// covered path and never goes back.
it("a scope covers the paths that its patterns match, and never skips one", () => {
  const seen = new Set<string>();
  fc.assert(
    fc.property(fc.array(pattern, { maxLength: 5 }), fc.uniqueArray(path, { maxLength: 40 }), (texts, paths) => {
      const patterns = texts.map((text) => PathPattern.parse(text));
      const scope = new PathScope(patterns);
      const sorted = [...paths].sort();
      const covered = sorted.filter((each) => patterns.some((one) => one.matches(parseSecretPath(each))));
      for (const each of sorted) {
        const found = scope.atOrAfter(each);
        const next = covered.find((other) => other >= each);
        assert.equal(scope.covers(each), next === each);
        if (next !== undefined)
          assert.ok(found !== undefined && found >= each && found <= next, `${found} for ${each}`);
        if (next !== each && found !== undefined) assert.ok(found > each);
        // A List starts at the successor of a path, or at a prefix, which can end with a slash.
        for (const text of [`${each}\0`, `${each}/`]) {
          const first = covered.find((other) => other >= text);
          const beginning = scope.atOrAfter(text);
          assert.ok(first === undefined || (beginning !== undefined && beginning >= text && beginning <= first));
        }
        seen.add(next === each ? "covered" : found === undefined ? "nothing after" : "skipped");
      }
    }),
    { numRuns: 2000 },
  );
  assert.deepEqual([...seen].sort(), ["covered", "nothing after", "skipped"]);
});

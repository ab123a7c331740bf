import fc from "fast-check";

/** A few similar and hostile segments, so that patterns and texts often match or differ only slightly. */
export const segment = fc.constantFrom("a", "b", "ab", "a.b", "axb", ".a", "...", "__proto__", "constructor", "-");

/** The segments of a path. */
export const segments = fc.array(segment, { minLength: 1, maxLength: 5 });

/** The segments of a pattern, with wildcards. */
export const wild = fc
  .tuple(fc.array(fc.oneof(segment, fc.constant("*")), { maxLength: 4 }), fc.constantFrom("*", "**", "a", "b"))
  .map(([head, last]) => [...head, last]);

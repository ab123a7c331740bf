import fc from "fast-check";
import type { Wish } from "./store-model.ts";

/** What happens to a store, one after the other. */
export type Step =
  /** Wishes of one turn of the event loop, and what other replicas do before each attempt to commit them. */
  | { readonly kind: "group"; readonly wishes: readonly Wish[]; readonly foreign: readonly Wish[] }
  /** Another replica does something while nobody here wants anything. */
  | { readonly kind: "foreign"; readonly wish: Wish }
  /** The clock is set, perhaps back. */
  | { readonly kind: "clock"; readonly time: number }
  | { readonly kind: "checkpoint" }
  | { readonly kind: "restart" };

/** Alike in order and in spelling. The first is written to so often that its versions are pruned. */
export const PATHS = ["a", "a/b", "a.b", "b", "__proto__"];
/** What List is asked for. */
export const PREFIXES = ["", "a", "a/", "b", "zz"];

/** How often a store tries to commit a group before it gives up. */
export const ATTEMPTS = 8;

const path = fc.oneof({ weight: 3, arbitrary: fc.constant("a") }, { weight: 2, arbitrary: fc.constantFrom(...PATHS) });
const author = fc.constantFrom("spiffe://example.org/one", "spiffe://example.org/two");
const expected = fc.oneof(
  { weight: 4, arbitrary: fc.constant(undefined) },
  { weight: 1, arbitrary: fc.nat({ max: 14 }) },
);
const put = fc.record({ kind: fc.constant("put" as const), path, value: fc.string(), author, expected });
const deletion = fc.record({
  kind: fc.constant("delete" as const),
  path,
  versions: fc.array(fc.integer({ min: 1, max: 14 }), { maxLength: 2 }),
  author,
  expected: expected.map((version) => version || undefined),
});
const wish: fc.Arbitrary<Wish> = fc.oneof({ weight: 3, arbitrary: put }, { weight: 2, arbitrary: deletion });
const foreign = fc.oneof(
  { weight: 3, arbitrary: fc.constant([]) },
  { weight: 3, arbitrary: fc.array(wish, { minLength: 1, maxLength: 3 }) },
  { weight: 1, arbitrary: fc.array(put.map(unconditional), { minLength: ATTEMPTS, maxLength: ATTEMPTS + 1 }) },
);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant("group" as const),
      wishes: fc.array(wish, { minLength: 1, maxLength: 9 }),
      foreign,
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("foreign" as const), wish }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("clock" as const), time: fc.integer({ min: 1, max: 5000 }) }) },
  { weight: 1, arbitrary: fc.constant({ kind: "checkpoint" as const }) },
  { weight: 3, arbitrary: fc.constant({ kind: "restart" as const }) },
);
/** A life of a store. */
export const steps = fc.array(step, { minLength: 1, maxLength: 14, size: "max" });

function unconditional<W extends Wish>(one: W): W {
  return { ...one, expected: undefined };
}

import fc from "fast-check";
import type { ChangeRequest } from "./store-model.ts";

/** One step of a run. */
export type Step =
  /** Requests in one turn of the event loop, and the changes of other replicas before each attempt to commit them. */
  | { readonly kind: "group"; readonly requests: readonly ChangeRequest[]; readonly foreign: readonly ChangeRequest[] }
  /** Another replica commits a change while this store has no requests. */
  | { readonly kind: "foreign"; readonly request: ChangeRequest }
  /** The clock is set, possibly back. */
  | { readonly kind: "clock"; readonly time: number }
  | { readonly kind: "checkpoint" }
  | { readonly kind: "restart" };

/** Paths that are similar and adjacent in order. The first is written so often that its versions are pruned. */
export const PATHS = ["a", "a/b", "a.b", "b", "__proto__"];
/** The prefixes of Lists. */
export const PREFIXES = ["", "a", "a/", "b", "zz"];

/** The number of attempts of a store to commit a group, as in store/group-commit.ts. */
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
const request: fc.Arbitrary<ChangeRequest> = fc.oneof(
  { weight: 3, arbitrary: put },
  { weight: 2, arbitrary: deletion },
);
const foreign = fc.oneof(
  { weight: 3, arbitrary: fc.constant([]) },
  { weight: 3, arbitrary: fc.array(request, { minLength: 1, maxLength: 3 }) },
  { weight: 1, arbitrary: fc.array(put.map(unconditional), { minLength: ATTEMPTS, maxLength: ATTEMPTS + 1 }) },
);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant("group" as const),
      requests: fc.array(request, { minLength: 1, maxLength: 9 }),
      foreign,
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("foreign" as const), request }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("clock" as const), time: fc.integer({ min: 1, max: 5000 }) }) },
  { weight: 1, arbitrary: fc.constant({ kind: "checkpoint" as const }) },
  { weight: 3, arbitrary: fc.constant({ kind: "restart" as const }) },
);
/** The steps of one run. */
export const steps = fc.array(step, { minLength: 1, maxLength: 14, size: "max" });

function unconditional<W extends ChangeRequest>(one: W): W {
  return { ...one, expected: undefined };
}

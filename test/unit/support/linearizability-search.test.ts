import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type PathState, type Recorded, agrees, stateAfter } from "../../support/history.ts";
import { violations } from "../../support/linearizability.ts";

/** The search of Wing and Gong: whether the events can be put in an order that agrees with their times and results. */
function isLinearizable(events: readonly Recorded[], state: PathState = { versions: [] }): boolean {
  if (events.length === 0) return true;
  const firstEnd = Math.min(...events.map(({ end }) => end));
  return events.some((event) => {
    if (event.begin > firstEnd) return false;
    const after = stateWith(state, event);
    return (
      after !== undefined &&
      isLinearizable(
        events.filter((other) => other !== event),
        after,
      )
    );
  });
}

/** The state after an event; undefined if the event can't happen in the state before. */
function stateWith(state: PathState, event: Recorded): PathState | undefined {
  if (event.kind === "read") return agrees(state, event.seen) ? state : undefined;
  const isNext = event.kind === "put" && event.answer?.version === state.versions.length + 1;
  return isNext ? stateAfter(state, event) : undefined;
}

const span = fc
  .tuple(fc.nat({ max: 12 }), fc.integer({ min: 1, max: 6 }))
  .map(([begin, ms]) => ({ begin, end: begin + ms }));

/** Up to four Puts in the order of their versions, and up to four reads of their values or of none. */
const history: fc.Arbitrary<Recorded[]> = fc
  .tuple(fc.array(span, { minLength: 1, maxLength: 4 }), fc.array(fc.tuple(span, fc.nat()), { maxLength: 4 }))
  .map(([puts, reads]) => [
    ...puts.map((put, i) => {
      return {
        kind: "put" as const,
        path: "a",
        value: `${i + 1}`,
        ...put,
        answer: { version: i + 1, revision: i + 1 },
      };
    }),
    ...reads.map(([read, choice]) => ({
      kind: "read" as const,
      path: "a",
      ...read,
      seen: seenAt(choice % (puts.length + 1)),
    })),
  ]);

function seenAt(
  version: number,
): { kind: "missing" } | { kind: "newest"; version: number; revision: number; value: string } {
  return version === 0 ? { kind: "missing" } : { kind: "newest", version, revision: version, value: `${version}` };
}

// The checker needs no search, because it knows the order of the changes. It comes to the same result as one.
test("the checker of histories agrees with a search over all orders", () => {
  const results = { accepted: 0, refused: 0 };
  fc.assert(
    fc.property(history, (events) => {
      const expected = isLinearizable(events);
      results[expected ? "accepted" : "refused"] += 1;
      assert.equal(violations(events).length === 0, expected);
    }),
    { numRuns: 5000 },
  );
  assert.ok(Math.min(results.accepted, results.refused) > 100, JSON.stringify(results));
});

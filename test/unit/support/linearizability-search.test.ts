import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type PathState, type Recorded, UNWRITTEN, agrees, stateAfter } from "../../support/history.ts";
import { violations } from "../../support/linearizability.ts";

const PATHS = ["a", "b"];

/** The states of the secrets, and the revision of the store. */
interface StoreState {
  readonly revision: number;
  readonly secrets: ReadonlyMap<string, PathState>;
}

const EMPTY: StoreState = { revision: 0, secrets: new Map(PATHS.map((path) => [path, UNWRITTEN])) };

/** The search of Wing and Gong: whether the events can be put in an order that agrees with their times and results. */
function isSerializable(events: readonly Recorded[], state = EMPTY): boolean {
  if (events.length === 0) return true;
  const firstEnd = Math.min(...events.map(({ end }) => end));
  return events.some((event) => {
    if (event.begin > firstEnd) return false;
    const after = stateWith(state, event);
    return (
      after !== undefined &&
      isSerializable(
        events.filter((other) => other !== event),
        after,
      )
    );
  });
}

/** The state after an event; undefined if the event can't happen in the state before. */
function stateWith({ revision, secrets }: StoreState, event: Recorded): StoreState | undefined {
  if (event.kind === "read") {
    const isPossible = event.facts.every(({ path, seen }) => agrees(secrets.get(path)!, seen));
    return isPossible ? { revision, secrets } : undefined;
  }
  if (event.answer?.revision !== revision + 1) return undefined;
  const after = new Map(secrets);
  for (const operation of event.operations) {
    const before = after.get(operation.path)!;
    const effect = {
      versions: [before.last + 1],
      revision: revision + 1,
      value: valueAt(operation.path, revision + 1),
    };
    after.set(operation.path, stateAfter(before, operation, effect));
  }
  return { revision: revision + 1, secrets: after };
}

function valueAt(path: string, revision: number): string {
  return `${path}${revision}`;
}

const span = fc
  .tuple(fc.nat({ max: 12 }), fc.integer({ min: 1, max: 6 }))
  .map(([begin, ms]) => ({ begin, end: begin + ms }));

const paths = fc.constantFrom(["a"], ["b"], ["a", "b"]);

/** Up to four changes of one or both secrets, in the order of their revisions, and up to four reads of one or both. */
const history: fc.Arbitrary<Recorded[]> = fc
  .tuple(
    fc.array(fc.tuple(span, paths), { minLength: 1, maxLength: 4 }),
    fc.array(fc.tuple(span, paths, fc.tuple(fc.nat(), fc.nat())), { maxLength: 4 }),
  )
  .map(([changes, reads]) => {
    const made = changes.map(([when, changed], i) => changeAt(i + 1, changed, when));
    const states = [EMPTY];
    for (const change of made) states.push(stateWith(states.at(-1)!, change)!);
    const seen = reads.map(([when, read, choices]): Recorded => {
      const facts = read.map((path, i) => ({ path, seen: seenIn(states[choices[i]! % states.length]!, path) }));
      return { kind: "read", facts, ...when };
    });
    return [...made, ...seen];
  });

function changeAt(revision: number, changed: readonly string[], when: { begin: number; end: number }): Recorded {
  const operations = changed.map((path) => ({ kind: "put" as const, path, value: valueAt(path, revision) }));
  return { kind: "change", operations, ...when, answer: { revision, versions: changed.map(() => undefined) } };
}

function seenIn({ secrets }: StoreState, path: string) {
  const newest = secrets.get(path)!.versions.at(-1);
  return newest === undefined ? { kind: "missing" as const } : { ...newest, kind: "newest" as const };
}

// The checker needs no search, because it knows the order of the changes. Its result is the same as that of a search.
test("the checker of histories agrees with a search over all orders", () => {
  const results = { accepted: 0, refused: 0 };
  fc.assert(
    fc.property(history, (events) => {
      const expected = isSerializable(events);
      results[expected ? "accepted" : "refused"] += 1;
      assert.equal(violations(events).length === 0, expected);
    }),
    { numRuns: 5000 },
  );
  assert.ok(Math.min(results.accepted, results.refused) > 100, JSON.stringify(results));
});

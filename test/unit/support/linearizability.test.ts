import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type {
  Fact,
  Recorded,
  RecordedChange,
  RecordedOperation,
  RecordedRead,
  Seen,
  StateOperation,
} from "../../support/history.ts";
import { violations } from "../../support/linearizability.ts";

type Part = readonly [operation: RecordedOperation, versions: readonly number[]];

/** A change with its answer: each operation with the versions that it added or changed. */
function change(begin: number, end: number, revision: number, ...parts: readonly Part[]): RecordedChange {
  const operations = parts.map(([operation]) => operation);
  return {
    kind: "change",
    operations,
    begin,
    end,
    answer: { revision, versions: parts.map(([, versions]) => versions) },
  };
}

/** A change without an answer. The server was killed after it began. */
function lost(begin: number, ...operations: readonly RecordedOperation[]): RecordedChange {
  return { kind: "change", operations, begin, end: begin + 1, answer: undefined };
}

function putting(version: number, path = "a"): Part {
  return [{ kind: "put", path, value: `${path}${version}` }, [version]];
}

function put(begin: number, end: number, version: number, path = "a", revision = version): RecordedChange {
  return change(begin, end, revision, putting(version, path));
}

function lostPut(begin: number, value: string): RecordedChange {
  return lost(begin, { kind: "put", path: "a", value });
}

function marking(kind: StateOperation, versions: number[], path = "a"): Part {
  return [{ kind, path, named: versions }, versions];
}

function deletion(begin: number, end: number, versions: number[], revision: number): RecordedChange {
  return change(begin, end, revision, marking("delete", versions));
}

function lostDeletion(begin: number, named: number[]): RecordedChange {
  return lost(begin, { kind: "delete", path: "a", named });
}

function purging(last: number, path = "a"): Part {
  return [{ kind: "purge", path }, [last]];
}

function read(begin: number, end: number, seen: Seen, path = "a"): RecordedRead {
  return batch(begin, end, { path, seen });
}

/** A read of several secrets at one moment. */
function batch(begin: number, end: number, ...facts: readonly Fact[]): RecordedRead {
  return { kind: "read", facts, begin, end };
}

function fact(path: string, seen: Seen): Fact {
  return { path, seen };
}

const missing: Seen = { kind: "missing" };
const notListed: Seen = { kind: "not listed" };
const newest = (version: number, value = `a${version}`, revision = version): Seen => ({
  kind: "newest",
  version,
  revision,
  value,
});
const described = (...versions: [version: number, revision: number, deleted?: number][]): Seen => ({
  kind: "described",
  versions: versions.map(([version, revision, changed]) => {
    return { version, revision, state: changed === undefined ? "live" : "deleted", changed };
  }),
});

const deleted = (version: number): Seen => ({ kind: "newest deleted", version });
const copied = (begin: number, end: number, revision: number, version: number) =>
  change(begin, end, revision, [{ kind: "copy", path: "b", source: "a", version }, [1]]);
const both = (begin: number, end: number) => change(begin, end, 1, putting(1), putting(1, "b"));
const lostBoth = (begin: number) => lost(begin, { kind: "purge", path: "a" }, { kind: "put", path: "m", value: "x" });
const copiedLostPut = (version: number): Recorded[] => [
  ...[put(1, 2, 1), lost(3, { kind: "put", path: "m", value: "x" }, putting(2)[0]), copied(5, 6, 3, 0)],
  ...[read(7, 8, newest(1, "x", 2), "m"), read(7, 8, newest(version, "a2", 2)), read(9, 10, newest(1, "a2", 3), "b")],
];

/** Each row has a rule, a history that violates it, the complaint, and a history that differs little and is correct. */
const rows: [rule: string, broken: Recorded[], complaint: RegExp, correct: Recorded[]][] = [
  [
    "a Put that was answered is read",
    [put(1, 2, 1), read(3, 4, missing)],
    /disagrees/,
    [put(1, 3, 1), read(2, 4, missing)],
  ],
  [
    "a Put that was answered replaces the version before",
    [put(1, 2, 1), put(3, 4, 2), read(5, 6, newest(1))],
    /disagrees/,
    [put(1, 2, 1), put(3, 6, 2), read(5, 7, newest(1))],
  ],
  [
    "what one reader has seen, the next one sees",
    [put(1, 9, 1), read(2, 3, newest(1)), read(4, 5, missing)],
    /disagrees/,
    [put(1, 9, 1), read(2, 4, newest(1)), read(3, 5, missing)],
  ],
  [
    "no read sees what has not begun",
    [read(1, 2, newest(1)), put(3, 4, 1)],
    /disagrees/,
    [read(1, 3, newest(1)), put(2, 4, 1)],
  ],
  [
    "a read sees the value of its version",
    [put(1, 2, 1), read(3, 4, newest(1, "b1"))],
    /disagrees/,
    [put(1, 2, 1), read(3, 4, newest(1))],
  ],
  ["a refused Put is not read", [read(3, 4, newest(1, "refused"))], /disagrees/, [read(3, 4, missing)]],
  ["each Put gets its own version", [put(1, 2, 1), put(1, 2, 1, "a", 2)], /next version/, [put(1, 2, 1), put(1, 2, 2)]],
  [
    "no version is lost",
    [put(1, 2, 1), put(3, 4, 3)],
    /1 versions that no Put wrote/,
    [put(1, 2, 1), lostPut(1, "x"), put(3, 4, 3)],
  ],
  [
    "versions of a path follow the order of time",
    [put(3, 4, 1), put(1, 2, 2)],
    /began after/,
    [put(1, 4, 1), put(1, 4, 2)],
  ],
  [
    "revisions follow the order of time over all paths",
    [put(1, 2, 1, "a", 8), put(3, 4, 1, "b", 7)],
    /of a later one/,
    [put(1, 2, 1, "a", 8), put(2, 4, 1, "b", 7)],
  ],
  [
    "a revision belongs to one change",
    [put(1, 2, 1, "a", 7), put(1, 2, 1, "b", 7)],
    /another change/,
    [put(1, 2, 1, "a", 7), put(1, 2, 1, "b", 8)],
  ],
  [
    "a deletion that was answered is read",
    [put(1, 2, 1), deletion(3, 4, [1], 2), read(5, 6, newest(1))],
    /disagrees/,
    [put(1, 2, 1), deletion(3, 4, [1], 2), read(5, 6, { kind: "newest deleted", version: 1 })],
  ],
  [
    "a deleted version is not deleted again",
    [put(1, 2, 1), deletion(3, 4, [1], 2), deletion(5, 6, [1], 3)],
    /should have changed nothing/,
    [put(1, 2, 1), deletion(3, 4, [1], 2), read(5, 6, { kind: "unchanged", operation: "delete", versions: [1] })],
  ],
  [
    "a Delete that finds a live version marks it",
    [put(1, 2, 1), read(5, 6, { kind: "unchanged", operation: "delete", versions: [1] })],
    /disagrees/,
    [put(1, 2, 1), deletion(5, 6, [1], 2)],
  ],
  [
    "a List has what was put before",
    [put(1, 2, 1), read(3, 4, notListed)],
    /disagrees/,
    [put(1, 3, 1), read(2, 4, notListed)],
  ],
  [
    "a List does not have what was deleted before",
    [put(1, 2, 1), deletion(3, 4, [1], 2), read(5, 6, { kind: "listed", version: 1 })],
    /disagrees/,
    [put(1, 2, 1), deletion(3, 4, [1], 2), read(5, 6, notListed)],
  ],
  [
    "a refusal names the latest version",
    [put(1, 2, 1), put(3, 4, 2), read(5, 6, { kind: "latest", version: 1 })],
    /disagrees/,
    [put(1, 2, 1), put(3, 4, 2), read(5, 6, { kind: "latest", version: 2 })],
  ],
  [
    "a Describe has all versions and deletions",
    [put(1, 2, 1), put(3, 4, 2), deletion(5, 6, [1], 3), read(7, 8, described([1, 1], [2, 2]))],
    /disagrees/,
    [put(1, 2, 1), put(3, 4, 2), deletion(5, 6, [1], 3), read(7, 8, described([1, 1, 3], [2, 2]))],
  ],
  [
    "ten versions are retained",
    [
      ...Array.from({ length: 11 }, (_, i) => put(2 * i, 2 * i + 1, i + 1)),
      read(30, 31, { kind: "version", version: 1, revision: 1, value: "a1" }),
    ],
    /disagrees/,
    [
      ...Array.from({ length: 11 }, (_, i) => put(2 * i, 2 * i + 1, i + 1)),
      read(30, 31, { kind: "no version", version: 1 }),
    ],
  ],
  // The server was killed at 2. What it had not answered may be found after the restart, and then stays.
  [
    "a Put without an answer does not disappear after it was read",
    [lostPut(1, "x"), read(3, 4, newest(1, "x")), read(5, 6, missing)],
    /disagrees/,
    [lostPut(1, "x"), read(3, 4, missing), read(5, 6, missing)],
  ],
  [
    "a Put without an answer is not read before it begins",
    [read(1, 2, newest(1, "x")), lostPut(3, "x")],
    /disagrees/,
    [lostPut(1, "x"), read(2, 3, newest(1, "x"))],
  ],
  [
    "a deletion without an answer is not undone",
    [put(1, 2, 1), lostDeletion(3, []), read(4, 5, described([1, 1, 2])), read(6, 7, newest(1))],
    /disagrees/,
    [put(1, 2, 1), lostDeletion(3, []), read(4, 5, newest(1)), read(6, 7, described([1, 1, 2]))],
  ],
  [
    "a deletion has a Delete that named the version",
    [put(1, 2, 1), put(3, 4, 2), lostDeletion(5, [2]), read(6, 7, described([1, 1, 3], [2, 2]))],
    /disagrees/,
    [put(1, 2, 1), put(3, 4, 2), lostDeletion(5, [1]), read(6, 7, described([1, 1, 3], [2, 2]))],
  ],
  [
    "a version that was undeleted is read",
    [put(1, 2, 1), deletion(3, 4, [1], 2), change(5, 6, 3, marking("undelete", [1])), read(7, 8, deleted(1))],
    /disagrees/,
    [put(1, 2, 1), deletion(3, 4, [1], 2), change(5, 6, 3, marking("undelete", [1])), read(7, 8, newest(1))],
  ],
  [
    "a version that was destroyed is not read",
    [put(1, 2, 1), change(3, 4, 2, marking("destroy", [1])), read(5, 6, newest(1))],
    /disagrees/,
    [put(1, 2, 1), change(3, 4, 2, marking("destroy", [1])), read(5, 6, { kind: "newest destroyed", version: 1 })],
  ],
  [
    "a version that was destroyed is not undeleted",
    [put(1, 2, 1), change(3, 4, 2, marking("destroy", [1])), change(5, 6, 3, marking("undelete", [1]))],
    /should have changed nothing/,
    [put(1, 2, 1), deletion(3, 4, [1], 2), change(5, 6, 3, marking("undelete", [1]))],
  ],
  [
    "a secret that was purged is not read",
    [put(1, 2, 1), change(3, 4, 2, purging(1)), read(5, 6, newest(1))],
    /disagrees/,
    [put(1, 2, 1), change(3, 4, 2, purging(1)), read(5, 6, missing)],
  ],
  [
    "the version numbers of a purged secret are not used again",
    [put(1, 2, 1), change(3, 4, 2, purging(1)), put(5, 6, 1, "a", 3)],
    /next version/,
    [put(1, 2, 1), change(3, 4, 2, purging(1)), put(5, 6, 2, "a", 3)],
  ],
  [
    "a copy has the value that its source had",
    [put(1, 2, 1), put(3, 4, 2), copied(5, 6, 3, 1), read(7, 8, newest(1, "a2", 3), "b")],
    /disagrees/,
    [put(1, 2, 1), put(3, 4, 2), copied(5, 6, 3, 1), read(7, 8, newest(1, "a1", 3), "b")],
  ],
  [
    "a change of two secrets becomes visible for both at the same moment",
    [both(1, 9), batch(2, 3, fact("a", newest(1)), fact("b", missing))],
    /disagrees/,
    [both(1, 9), batch(2, 3, fact("a", newest(1)), fact("b", newest(1, "b1")))],
  ],
  [
    "what one reader has seen of a change, the next one sees of another secret",
    [both(1, 9), read(2, 3, newest(1)), read(4, 5, missing, "b")],
    /disagrees/,
    [both(1, 9), read(2, 4, newest(1)), read(3, 5, missing, "b")],
  ],
  [
    "two readers see two changes in the same order",
    [
      ...[put(1, 9, 1, "a", 1), put(1, 9, 1, "b", 2)],
      ...[batch(2, 3, fact("a", missing), fact("b", newest(1, "b1", 2)))],
    ],
    /disagrees/,
    [...[put(1, 9, 1, "a", 1), put(1, 9, 1, "b", 2)], ...[batch(2, 3, fact("a", newest(1)), fact("b", missing))]],
  ],
  // The value of its Put identifies a change without an answer. Its other operations were then applied, too.
  [
    "a change without an answer is applied completely",
    [put(1, 2, 1), lostBoth(3), batch(4, 5, fact("m", newest(1, "x", 2)), fact("a", newest(1)))],
    /disagrees/,
    [put(1, 2, 1), lostBoth(3), batch(4, 5, fact("m", newest(1, "x", 2)), fact("a", missing))],
  ],
  // The copy has the value of the Put in another version. It says nothing about the version of the Put.
  [
    "a Put without an answer has the version that its own secret shows",
    copiedLostPut(3),
    /1 versions that no Put wrote/,
    copiedLostPut(2),
  ],
  // Both were applied before the kill, so no read ever finds the value.
  [
    "a version that was never read has a Put",
    [lostDeletion(1, []), read(3, 4, described([1, 1, 2]))],
    /disagrees/,
    [lostPut(1, "x"), lostDeletion(1, []), read(3, 4, described([1, 1, 2]))],
  ],
  // What the first server did not apply was not applied by the second one, which was also killed.
  [
    "a change without an answer is found at the next start or never",
    [
      ...[put(1, 2, 1), lostDeletion(3, []), read(5, 6, described([1, 1])), put(7, 8, 2)],
      read(9, 10, described([1, 1, 3], [2, 2])),
    ],
    /disagrees/,
    [
      ...[put(1, 2, 1), lostDeletion(3, []), read(5, 6, described([1, 1])), put(7, 8, 2), lostDeletion(8, [1])],
      read(9, 10, described([1, 1, 3], [2, 2])),
    ],
  ],
];

// The checker of the simulation and of the runs with real threads finds each kind of violation, and accepts a history
// that differs in one detail.
describe("the checker of histories", () => {
  for (const [rule, broken, complaint, correct] of rows) {
    it(rule, () => {
      assert.match(violations(broken).join("\n"), complaint);
      assert.deepEqual(violations(correct), []);
    });
  }
});

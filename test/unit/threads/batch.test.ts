import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import type { SecretPath } from "../../../src/domain/secret-path.ts";
import type { Change, VersionStateKind } from "../../../src/store/change.ts";
import type { CommittedEntry } from "../../../src/store/journal.ts";
import type { SettingsValues } from "../../../src/store/settings.ts";
import { REMOVED, decodeBatch, encodeBatch } from "../../../src/threads/batch.ts";
import type { Location } from "../../../src/threads/change-columns.ts";
import type { Columns } from "../../../src/threads/columns.ts";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

const number = fc.nat({ max: 10_000 });
const path = fc.stringMatching(/^[a-z0-9._-]{1,20}(\/[a-z0-9._-]{1,20}){0,3}$/).map((text) => text as SecretPath);
const common = {
  path,
  time: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
  // Few of them, so that most occur several times.
  author: fc.constantFrom("spiffe://a/b", "spiffe://a/c", `spiffe://a/${"d".repeat(2000)}`),
};
// The reader leaves out the rows of versions, so they are not part of the comparison.
const versions = fc.array(
  number.map((version) => ({ version, row: undefined })),
  { maxLength: 12 },
);
const location: fc.Arbitrary<Location> = fc.record({
  chunk: fc.oneof(fc.constant(REMOVED), fc.integer({ min: 1, max: 2 ** 31 })),
  at: number,
  length: number,
});
const text = fc.string({ unit: "binary", maxLength: 20 });
const optional = fc.option(number, { nil: undefined });
const settings: fc.Arbitrary<SettingsValues> = fc.record({
  maxVersions: number,
  labels: fc.array(fc.tuple(text, text), { maxLength: 4 }),
  description: text,
  defaultTtl: optional,
  casRequired: fc.boolean(),
  firstVersion: number,
});
const change: fc.Arbitrary<Change<Location>> = fc.oneof(
  fc.record({
    kind: fc.constant("put" as const),
    ...common,
    version: number,
    sealed: location,
    expireTime: optional,
    rowsBefore: number,
    pruned: versions,
  }),
  fc.record({
    kind: fc.constant("state" as const),
    ...common,
    state: fc.constantFrom<VersionStateKind>("live", "deleted", "destroyed", "expired"),
    versions,
  }),
  fc.record({ kind: fc.constant("settings" as const), ...common, settings, pruned: versions }),
  fc.record({ kind: fc.constant("purge" as const), ...common, lastVersion: number, versions }),
  fc.record({ kind: fc.constant("forget" as const), ...common }),
);
const entries: fc.Arbitrary<CommittedEntry<Location>[]> = fc.array(
  fc.record({
    revision: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    // An entry that only remembers a request has none.
    changes: fc.array(change, { maxLength: 4 }),
    requests: fc.constant(undefined),
    forgotten: number,
    timeline: fc.option(fc.record({ first: fc.nat(), id: fc.string() }), { nil: undefined }),
  }),
  { maxLength: 20 },
);

describe("a batch", () => {
  // What a front decodes is what the store thread encoded: any number of entries, changes of each kind, authors and
  // versions.
  it("returns the entries after a structured clone", () => {
    fc.assert(
      fc.property(entries, (all) => {
        assert.deepEqual(decodeBatch(structuredClone(encodeBatch(all))), structuredClone(all));
      }),
      { numRuns: 500 },
    );
  });

  // The front gets an error. It does not apply a change that has a part of another change.
  it("that lost a number or a text is refused", () => {
    fc.assert(
      fc.property(
        entries.filter((all) => all.some(({ changes }) => changes.length > 0)),
        (all) => {
          const { texts, numbers } = encodeBatch(all);
          assert.throws(() => decodeBatch({ texts, numbers: numbers.subarray(0, -1) }), RangeError);
          assert.throws(() => decodeBatch({ texts: texts.slice(0, -1), numbers }), RangeError);
        },
      ),
    );
  });

  // A part of a split string refers to the whole string. If paths were such parts, one path in a front's memory would
  // retain those of its whole batch. The control reads a path in this way.
  it("is freed although a path of it is retained", () => {
    // So many that what is unrelated to the test does not matter: the heap once grew by 250 kB of it on a loaded machine.
    const batches = Array.from({ length: 2500 }, (_, i) => encodeBatch(batchOfLongPaths(i)));
    const decoded = bytesFor(batches, (batch) => decodeBatch(structuredClone(batch))[0]?.changes[0]?.path);
    const split = bytesFor(batches, ({ texts }) => structuredClone(texts.join("\n")).split("\n")[0]);
    assert.ok(decoded < 2 * PATH_BYTES, `${decoded} bytes for each path`);
    assert.ok(split > 10 * PATH_BYTES, `${split} bytes for each path of the control`);
  });
});

const PATH_BYTES = 500;

/** The bytes of memory that one path of each batch retains. */
function bytesFor(batches: readonly Columns[], pathOf: (batch: Columns) => string | undefined): number {
  // The first calls also take memory for compiled code, as much as many paths.
  for (const batch of batches) pathOf(batch);
  collect();
  const before = process.memoryUsage().heapUsed;
  const retained = batches.map(pathOf);
  collect();
  return (process.memoryUsage().heapUsed - before) / retained.length;
}

/** Twenty changes of long paths, each in memory of its own. */
function batchOfLongPaths(batch: number): CommittedEntry<Location>[] {
  return Array.from({ length: 20 }, (_, i) => {
    const path = Buffer.from(`${batch}/${i}/`.padEnd(PATH_BYTES, "x")).toString("latin1") as SecretPath;
    const one: Change<Location> = { kind: "forget", path, time: 1, author: "spiffe://a/b" };
    return { revision: i + 1, changes: [one], requests: undefined };
  });
}

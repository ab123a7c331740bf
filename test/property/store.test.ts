import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import fc from "fast-check";
import { LONG } from "../support/long-form.ts";
import { Run, type Subject } from "./store-run.ts";
import { steps } from "./store-steps.ts";
import { memorySubject, sharedSubject, sqliteSubject } from "./store-subjects.ts";

const folder = mkdtempSync(join(tmpdir(), "coffer-property-"));
after(() => rmSync(folder, { recursive: true, force: true }));

/**
 * Checks the property for one kind of journal. The runs together must include the events of `mustHappen`. Each of these
 * happens in so many runs that correct runs miss it with a probability below 1e-9.
 */
async function check(
  subjectOf: (run: Run) => Promise<Subject>,
  numRuns: number,
  mustHappen: readonly string[],
): Promise<void> {
  const seen = new Set<string>();
  const property = fc.asyncProperty(steps, async (all) => {
    const run = new Run(seen);
    const subject = await subjectOf(run);
    try {
      for (const step of all) {
        await run.take(step, subject);
        await run.compare(subject.store);
      }
    } finally {
      subject.close();
    }
  });
  const seed = randomInt(2 ** 31);
  await fc.assert(property, { numRuns, seed });
  assert.deepEqual(
    mustHappen.filter((event) => !seen.has(event)),
    [],
    `events that no run included, with seed ${seed}`,
  );
}

const KINDS = ["put", "patch", "delete", "undelete", "destroy", "copy", "purge", "metadata", "several"];
const REASONS = [
  "VERSION_MISMATCH",
  "CAS_REQUIRED",
  "SECRET_NOT_FOUND",
  "VERSION_NOT_FOUND",
  "VERSION_DELETED",
  "VERSION_DESTROYED",
  "VERSION_EXPIRED",
  "INVALID_FIELD",
  "LIMIT_EXCEEDED",
  "REQUEST_ID_REUSED",
  "REQUEST_IDS_FULL",
];
const ALWAYS = [...KINDS, ...REASONS, "idle", "repeated", "swept"];

// For any commands, in groups, with request ids that are repeated, versions that expire, a wall clock that is set back and
// forward, sweeps and restarts, the store answers as the model does, refusals included. Afterwards, List, Describe and Get
// of every version return what the model has, with all revisions, times and authors. Revisions only increase.
describe("the store behaves like a simple model", () => {
  it("in memory, across restarts", () => check(memorySubject, LONG ? 60_000 : 2000, ALWAYS));

  // A restart at any point, with or without a checkpoint before it, makes no difference.
  it("on disk, across restarts", () =>
    check((run) => sqliteSubject(run, folder), LONG ? 5000 : 100, ["put", "delete", "metadata", "several", "restart"]));

  // Each group is validated against the changes of other replicas, or is refused completely if they always commit first.
  // Before the commit, no change of the group is visible and no caller is answered.
  it("beside other replicas", () => check(sharedSubject, LONG ? 40_000 : 1000, [...ALWAYS, "stale", "CONTENTION"]));
});

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import fc from "fast-check";
import { Run, type Subject } from "./store-run.ts";
import { steps } from "./store-steps.ts";
import { memorySubject, sharedSubject, sqliteSubject } from "./store-subjects.ts";

const folder = mkdtempSync(join(tmpdir(), "coffer-property-"));
after(() => rmSync(folder, { recursive: true, force: true }));

/** Checks the property for one kind of journal. The runs together must include the events of `mustHappen`. */
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
        run.compare(subject.store);
        await run.compareLists(subject.store);
      }
    } finally {
      subject.close();
    }
  });
  await fc.assert(property, { numRuns });
  for (const event of mustHappen) assert.ok(seen.has(event), `no run included ${event}`);
}

const ALWAYS = ["put", "delete", "idle", "pruned", "VERSION_MISMATCH", "SECRET_NOT_FOUND", "VERSION_NOT_FOUND"];

// For any requests, in groups and with clocks that are set back, the store answers as the model does, refusals
// included. Afterwards, List, Describe and Get of every version return what the model has, with all revisions, times
// and authors. Revisions only increase.
describe("the store behaves like a simple model", () => {
  it("in memory", () => check(memorySubject, 300, ALWAYS));

  // A restart at any point, with or without a checkpoint before it, makes no difference.
  it("on disk, across restarts", () => check((run) => sqliteSubject(run, folder), 100, [...ALWAYS, "restart"]));

  // Each group is validated against the changes of other replicas, or is refused completely if they always commit
  // first. Before the commit, no change of the group is visible and no caller is answered.
  it("beside other replicas", () => check(sharedSubject, 300, [...ALWAYS, "stale", "CONTENTION"]));
});

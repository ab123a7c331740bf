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

/** Checks the property for one kind of journal; what must have happened in its runs, or they prove little. */
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
  for (const event of mustHappen) assert.ok(seen.has(event), `no run had this in it: ${event}`);
}

const ALWAYS = ["put", "delete", "idle", "pruned", "VERSION_MISMATCH", "SECRET_NOT_FOUND", "VERSION_NOT_FOUND"];

// Whatever is asked of a store, in groups and by clocks that are set back: it answers as the model does, refusals
// included, and afterwards List, Describe and Get of every version say what the model says, with all revisions, times
// and authors. Revisions only rise.
describe("the store does what a simple model does", () => {
  it("in memory alone", () => check(memorySubject, 300, ALWAYS));

  // A restart, at any point and with or without a checkpoint before it, changes nothing of that.
  it("on disk, across restarts", () => check((run) => sqliteSubject(run, folder), 100, [...ALWAYS, "restart"]));

  // Others write as well: each group is validated against what they wrote, or is refused whole when they never pause.
  // Nothing of it is visible and nobody is answered before it is committed.
  it("beside other replicas", () => check(sharedSubject, 300, [...ALWAYS, "stale", "CONTENTION"]));
});

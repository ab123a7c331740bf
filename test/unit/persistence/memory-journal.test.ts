import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MemoryJournal } from "../../../src/persistence/memory-journal.ts";
import { committed, entries, loaded, put } from "../../support/persistence-kit.ts";

describe("MemoryJournal", () => {
  // It behaves like the journal on disk, except that it stores nothing.
  it("assigns increasing revisions and loads nothing", async () => {
    const journal = new MemoryJournal();
    assert.deepEqual(await loaded(journal), []);
    assert.deepEqual(await committed(journal, entries(put("a", 1), put("a", 2))), [1, 2]);
    assert.deepEqual(await committed(journal, entries(put("a", 3))), [3]);
    journal.checkpoint();
    journal.close();
  });
});

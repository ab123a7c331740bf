import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import { BytesWritten } from "../../../src/persistence/bytes-written.ts";
import { openDatabase } from "../../../src/persistence/database.ts";
import { SqliteJournal } from "../../../src/persistence/sqlite-journal.ts";
import type { JournalEntry } from "../../../src/store/journal.ts";
import type { Label } from "../../../src/store/command.ts";
import {
  committed,
  entries,
  entry,
  forget,
  plainContent,
  purge,
  put,
  request,
  settings,
  state,
  temporaryFolder,
} from "../../support/persistence-kit.ts";

const PAGE_BYTES = 4096;

/** As many labels as a secret can have, with the longest keys and values. */
const longestLabels = Array.from({ length: 64 }, (_, i): Label => {
  const number = String(i).padStart(2, "0");
  return [`${"p".repeat(253)}/${number}${"n".repeat(61)}`, "v".repeat(63)];
});

const longest = (maxVersions: number) =>
  settings("a", { labels: longestLabels, description: "d".repeat(1024), maxVersions });

const requests = Array.from({ length: 3000 }, (_, i): JournalEntry => {
  const results = [{ versions: [1], expireTime: 1_700_000_000_000 }];
  return { changes: [], requests: { kind: "remember", request: request(i, { caller: "c".repeat(200), results }) } };
});

const own = [{ version: 1, row: undefined }];

const GROUPS: readonly { readonly name: string; readonly group: readonly JournalEntry[] }[] = [
  { name: "a put of 1 MiB", group: entries(put("big", 1, [], Buffer.alloc(1024 * 1024, 7))) },
  { name: "its destruction", group: entries(state("destroyed", "big", [{ version: 1, row: 1 }])) },
  { name: "128 puts, each purged in the same entry", group: manyPurged() },
  { name: "the longest settings", group: entries(longest(1)) },
  { name: "the longest settings instead of others", group: entries(longest(2)) },
  { name: "the purge of the longest settings", group: entries(purge("a", 0, [])) },
  { name: "the end of a tombstone", group: entries(forget("a")) },
  { name: "thousands of requests", group: requests },
  { name: "the end of thousands of requests", group: [{ changes: [], requests: { kind: "forget", before: 2 ** 50 } }] },
];

function manyPurged(): JournalEntry[] {
  const changes = Array.from({ length: 128 }, (_, i) => [put(`p/${i}`, 1), purge(`p/${i}`, 1, own)]).flat();
  return [entry(...changes)];
}

describe("the estimate of the bytes that a group writes", () => {
  // A commit that needs more than its estimate can find the disk full in the middle of its transaction, or leave no space
  // for the next checkpoint. Half of the estimate is for the log, which this test measures.
  it("is at least what the log receives", async () => {
    const db = openDatabase(join(temporaryFolder(), "coffer.db"), plainContent);
    const journal = new SqliteJournal(db);
    const estimates = new BytesWritten(db);
    for (const { name, group } of GROUPS) {
      journal.checkpoint("full");
      const estimate = estimates.of(group) / 2;
      await committed(journal, group);
      const [{ log }] = db.pragma("wal_checkpoint(NOOP)") as [{ log: number }];
      assert.ok(log > 0, name);
      assert.ok(log * PAGE_BYTES <= estimate, `${name}: ${log} pages, estimated ${estimate / PAGE_BYTES}`);
    }
    journal.close();
  });
});

import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import type Database from "better-sqlite3";
import { openDatabase } from "../../../src/persistence/database.ts";
import { SqliteJournal } from "../../../src/persistence/sqlite-journal.ts";
import type { StoreRefused } from "../../../src/persistence/store-refused.ts";
import {
  committed,
  deletion,
  entries,
  loaded,
  plainContent,
  put,
  temporaryFolder,
} from "../../support/persistence-kit.ts";

/**
 * The journal of two secrets. `a` has versions 2 to 11 at revisions 2 to 11; version 1 was pruned. `b` has versions 1
 * and 2 at revisions 12 and 13; revision 14 deletes version 2.
 */
async function journalOf(): Promise<{ readonly db: Database.Database; readonly journal: SqliteJournal }> {
  const db = openDatabase(join(temporaryFolder(), "coffer.db"), plainContent);
  const journal = new SqliteJournal(db);
  await committed(journal, entries(...Array.from({ length: 10 }, (_, i) => put("a", i + 1))));
  await committed(journal, entries(put("a", 11, [{ version: 1, row: 1 }]), put("b", 1), put("b", 2)));
  await committed(journal, entries(deletion("b", [{ version: 2, row: 13 }])));
  return { db, journal };
}

const COPY = "INSERT INTO versions SELECT";

/** Rows that no series of changes can produce: the statement that makes them, and the message of the refusal. */
const CONTRADICTIONS: readonly (readonly [name: string, sql: string, says: RegExp])[] = [
  ["a missing version", "DELETE FROM versions WHERE revision = 5", /revision 6 is version 6 of a, after version 4/],
  [
    "a missing version that was the oldest of ten", // a secret with fewer than ten versions was never pruned
    "DELETE FROM versions WHERE revision = 2",
    /leaves only 9 versions of a, up to version 11/,
  ],
  [
    "a version number that occurs twice",
    `${COPY} 30, path, version, create_time, created_by, sealed, NULL, NULL, NULL FROM versions WHERE revision = 12`,
    /revision 30 is version 1 of b, after version 2/,
  ],
  [
    "versions in descending order",
    "UPDATE versions SET version = CASE revision WHEN 12 THEN 2 ELSE 1 END WHERE path = 'b'",
    /revision 13 is version 1 of b, after version 2/,
  ],
  [
    "eleven versions",
    `${COPY} 1, 'a', 1, create_time, created_by, sealed, NULL, NULL, NULL FROM versions WHERE revision = 2`,
    /revision 11 is a version of a beyond the 10 that are retained/,
  ],
  [
    "exchanged revisions",
    "UPDATE versions SET revision = CASE revision WHEN 3 THEN 104 ELSE 103 END WHERE revision IN (3, 4); UPDATE versions SET revision = revision - 100 WHERE revision > 100",
    /revision 3 is version 4 of a, after version 2/,
  ],
  [
    "a change with an earlier time than the previous one",
    "UPDATE versions SET create_time = create_time - 1 WHERE revision = 13",
    /revision 13 has an earlier time than the revision before it/,
  ],
  [
    "a deletion before the version",
    "UPDATE versions SET delete_revision = 13 WHERE revision = 13",
    /revision 13 deletes the version of revision 13, which is not earlier/,
  ],
  [
    "a deletion without a time",
    "UPDATE versions SET delete_time = NULL WHERE revision = 13",
    /revision 13 has an invalid number/,
  ],
  [
    "a deletion without an author",
    "UPDATE versions SET deleted_by = NULL WHERE revision = 13",
    /revision 13 has an invalid number/,
  ],
  [
    "the time of a deletion without a revision",
    "UPDATE versions SET delete_time = 1 WHERE revision = 12",
    /revision 12 has an invalid number/,
  ],
  [
    "a deletion at the revision of a put",
    "UPDATE versions SET delete_revision = 13, delete_time = create_time, deleted_by = 'x' WHERE revision = 12",
    /revision 13 has more than one change/,
  ],
  [
    "a deletion of two secrets",
    "UPDATE versions SET delete_revision = 14, delete_time = (SELECT delete_time FROM versions WHERE revision = 13), deleted_by = 'x' WHERE revision = 11",
    /revision 14 has more than one change/,
  ],
  ["an invalid path", "UPDATE versions SET path = 'a//b' WHERE revision = 12", /revision 12 has an invalid path/],
  [
    "more than a page of rows with one revision",
    `WITH RECURSIVE n(i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n WHERE i < 4300)
     INSERT INTO versions SELECT i, 'many/' || i, 1, 1700000000000, 'x', x'00', 9000, 1700000000000, 'x' FROM n`,
    /revision 9000 has more than one change/,
  ],
];

describe("the rows of a store", () => {
  it("are loaded when a series of changes has produced them", async () => {
    const { journal } = await journalOf();
    assert.equal((await loaded(journal)).at(-1)?.revision, 14);
    journal.close();
  });

  // Otherwise the server would serve only a part of the store, and the next Put could use a version number again.
  for (const [name, sql, says] of CONTRADICTIONS) {
    it(`are refused with ${name}`, async () => {
      const { db, journal } = await journalOf();
      db.exec(sql);
      await assert.rejects(loaded(journal), (error: StoreRefused) => {
        assert.equal(error.refusal, "damaged");
        assert.match(error.message, says);
        return true;
      });
      journal.close();
    });
  }

  // The load finds deletions by an index. SQLite's quick_check does not compare an index with its table.
  for (const [name, change] of [
    ["a missing row", "UPDATE versions SET delete_revision = NULL, delete_time = NULL, deleted_by = NULL"],
    ["an additional row", "UPDATE versions SET delete_revision = 14, delete_time = create_time, deleted_by = 'x'"],
  ] as const) {
    it(`are refused when the index has ${name}`, async () => {
      const { db, journal } = await journalOf();
      // Build the index from another state of the table, then change the table without the index.
      db.exec(`${change} WHERE revision = ${name === "a missing row" ? 13 : 12}`);
      swapIndex(db);
      await assert.rejects(loaded(journal), { name: "StoreRefused", refusal: "damaged" });
      journal.close();
    });
  }
});

/** Restores the table to the state of {@link journalOf} without changing the index. */
function swapIndex(db: Database.Database): void {
  const index = db.prepare("SELECT rootpage FROM sqlite_schema WHERE name = 'versions_deleted'").pluck().get();
  db.unsafeMode(true);
  db.pragma("writable_schema = ON");
  const sql = db.prepare("SELECT sql FROM sqlite_schema WHERE name = 'versions_deleted'").pluck().get();
  db.exec("DELETE FROM sqlite_schema WHERE name = 'versions_deleted'");
  db.pragma("writable_schema = RESET");
  db.exec(`UPDATE versions SET delete_revision = NULL, delete_time = NULL, deleted_by = NULL;
    UPDATE versions SET delete_revision = 14, delete_time = create_time, deleted_by = 'x' WHERE revision = 13`);
  db.pragma("writable_schema = ON");
  db.prepare("INSERT INTO sqlite_schema VALUES ('index', 'versions_deleted', 'versions', ?, ?)").run(index, sql);
  db.pragma("writable_schema = RESET");
}

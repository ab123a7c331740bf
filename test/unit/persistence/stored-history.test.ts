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
  entry,
  loaded,
  plainContent,
  purge,
  put,
  request,
  settings,
  state,
  summary,
  temporaryFolder,
} from "../../support/persistence-kit.ts";

interface Opened {
  readonly db: Database.Database;
  readonly journal: SqliteJournal;
}

function open(): Opened {
  const db = openDatabase(join(temporaryFolder(), "coffer.db"), plainContent);
  return { db, journal: new SqliteJournal(db) };
}

/**
 * The journal of two secrets. `a` has versions 2 to 11 at revisions 2 to 11; version 1 was pruned. `b` has versions 1
 * and 2 at revisions 12 and 13; revision 14 deletes version 2.
 */
async function twoSecrets(): Promise<Opened> {
  const opened = open();
  const { journal } = opened;
  await committed(journal, entries(...Array.from({ length: 10 }, (_, i) => put("a", i + 1))));
  await committed(journal, entries(put("a", 11, [{ version: 1, row: 1 }]), put("b", 1), put("b", 2)));
  await committed(journal, entries(deletion("b", [{ version: 2, row: 13 }])));
  return opened;
}

/**
 * The journal of all kinds of changes. Revision 3 puts `c` 1 to 3 (rows 1 to 3). Revision 4 retains two versions of `c`.
 * Revision 5 destroys version 2, and revision 6 deletes version 3, which revision 7 undeletes. Version 1 of `d` (8)
 * expires at 9. `e` is put and purged at 11. `f` is put at 12, purged at 13, and put again at 14 with version 2. `g` has
 * only settings (15). Revision 16 is a request without a change.
 */
async function allKinds(): Promise<Opened> {
  const opened = open();
  const { journal } = opened;
  const own = (version: number) => ({ version, row: undefined });
  await committed(journal, [
    entry(put("c", 1), put("c", 2), put("c", 3)),
    entry(settings("c", { maxVersions: 2, firstVersion: 2, labels: [["a", "b"]], defaultTtl: 1000 }, [own(1)])),
    entry(state("destroyed", "c", [own(2)])),
    entry(deletion("c", [own(3)])),
    entry(state("live", "c", [own(3)])),
    entry({ ...put("d", 1), expireTime: put("d", 1).time }),
    entry(state("expired", "d", [own(1)])),
    entry(put("e", 1)),
    entry(purge("e", 1, [own(1)])),
    entry(put("f", 1)),
    entry(purge("f", 1, [own(1)])),
    entry(settings("f", { firstVersion: 2 }), put("f", 2)),
    entry(settings("g")),
    { changes: [], requests: { kind: "remember", request: request(1, { revision: 15 }) } },
  ]);
  return opened;
}

const ALL_KINDS = [
  "3 put c 2",
  "3 put c 3",
  "4 settings c",
  "5 destroyed c 2",
  "7 live c 3",
  "8 put d 1",
  "9 expired d 1",
  "11 purge e 1",
  "14 settings f",
  "14 put f 2",
  "15 settings g",
  "16 request 0001",
];

const COPY = "INSERT INTO versions SELECT";
const COLUMNS = "path, version, create_time, created_by, sealed, NULL, NULL, NULL, 1, 0, NULL FROM versions";

/** Rows that no series of changes can produce: the statement that makes them, and the message of the refusal. */
type Contradiction = readonly [name: string, sql: string, says: RegExp];

const OF_TWO_SECRETS: readonly Contradiction[] = [
  ["a missing version", "DELETE FROM versions WHERE row_number = 5", /revision 6 is version 6 of a, after version 4/],
  [
    "a missing version that was the oldest of ten", // a secret with fewer than ten versions was never pruned
    "DELETE FROM versions WHERE row_number = 2",
    /leaves 9 versions of a, up to version 11, and not 10/,
  ],
  [
    "a version number that occurs twice",
    `${COPY} 30, ${COLUMNS} WHERE row_number = 12`,
    /revision 30 is version 1 of b, after version 2/,
  ],
  [
    "versions in descending order",
    "UPDATE versions SET version = CASE row_number WHEN 12 THEN 2 ELSE 1 END WHERE path = 'b'",
    /revision 13 is version 1 of b, after version 2/,
  ],
  [
    "eleven versions",
    `INSERT INTO versions SELECT 1, 'a', 1, create_time, created_by, sealed, NULL, NULL, NULL, 1, 0, NULL FROM versions WHERE row_number = 2`,
    /leaves 11 versions of a, up to version 11, and not 10/,
  ],
  [
    "exchanged revisions",
    "UPDATE versions SET row_number = CASE row_number WHEN 3 THEN 104 ELSE 103 END WHERE row_number IN (3, 4); UPDATE versions SET row_number = row_number - 100 WHERE row_number > 100",
    /revision 3 is version 4 of a, after version 2/,
  ],
  [
    "a change with an earlier time than the previous one",
    "UPDATE versions SET create_time = create_time - 1 WHERE row_number = 13",
    /revision 13 has an earlier time than the revision before it/,
  ],
  [
    "a state before the version",
    "UPDATE versions SET state_revision = 12 WHERE row_number = 13",
    /revision 12 changes the state of the version of row 13 in the index only|revision 12 changes the version of revision 13/,
  ],
  ["a state without a time", "UPDATE versions SET state_time = NULL WHERE row_number = 13", /13 has an invalid state/],
  ["a state without an author", "UPDATE versions SET state_by = NULL WHERE row_number = 13", /13 has an invalid state/],
  [
    "the time of a state without a revision",
    "UPDATE versions SET state_time = 1 WHERE row_number = 12",
    /invalid state/,
  ],
  ["a state without a revision", "UPDATE versions SET state = 2 WHERE row_number = 12", /12 has an invalid state/],
  ["a state that does not exist", "UPDATE versions SET state = 4 WHERE row_number = 13", /13 has an invalid state/],
  [
    "changes of two authors in one entry",
    "UPDATE versions SET state_revision = 13, state_time = create_time, state_by = 'x' WHERE row_number = 12",
    /revision 13 has changes of different authors/,
  ],
  [
    "changes of two times in one entry",
    "UPDATE versions SET state_revision = 13, state_time = create_time + 1, state_by = created_by WHERE row_number = 12; UPDATE versions SET state_time = state_time + 1 WHERE row_number = 13",
    /revision 13 has changes of different times/,
  ],
  ["an invalid path", "UPDATE versions SET path = 'a//b' WHERE row_number = 12", /revision 12 has an invalid path/],
  [
    "no author",
    "UPDATE versions SET created_by = '' WHERE row_number = 12",
    /revision 12 has an invalid number or author/,
  ],
  [
    "a time of expiry of 0",
    "UPDATE versions SET expire_time = 0 WHERE row_number = 12",
    /revision 12 has an invalid number/,
  ],
  [
    "a live version without content",
    "UPDATE versions SET sealed = x'' WHERE row_number = 12",
    /revision 12 has no content/,
  ],
  [
    "a deleted version without content",
    "UPDATE versions SET sealed = x'' WHERE row_number = 13",
    /revision 13 is deleted and has 0 bytes of content/,
  ],
  [
    "a negative position in an entry",
    "UPDATE versions SET rows_before = -1 WHERE row_number = 13",
    /revision 12 has the row 13, which is not its own/,
  ],
  [
    "a position beyond the longest entry",
    "UPDATE versions SET rows_before = 128 WHERE row_number = 13; UPDATE versions SET state_revision = 200 WHERE row_number = 13",
    /revision 141 has the row 13, which is not its own/,
  ],
  [
    "entries that overlap",
    "UPDATE versions SET rows_before = 2 WHERE row_number = 11",
    /revision 13 has the row 11, which is not its own|revision 12 has the row 12|revision 13 has the row 13/,
  ],
];

const OF_ALL_KINDS: readonly Contradiction[] = [
  [
    "a pruned version",
    `${COPY} 1, 'c', 1, create_time, created_by, sealed, NULL, NULL, NULL, 1, 2, NULL FROM versions WHERE row_number = 3`,
    /leaves 3 versions of c, up to version 3, and not 2/,
  ],
  ["no settings", "DELETE FROM settings WHERE path = 'c'", /leaves 2 versions of c, up to version 3, and not 3/],
  [
    "settings that retain more",
    "UPDATE settings SET max_versions = 3, first_version = 1 WHERE path = 'c'",
    /leaves 2 versions of c/,
  ],
  [
    "settings that retain fewer",
    "UPDATE settings SET max_versions = 1 WHERE path = 'c'",
    /leaves 2 versions of c.* and not 1/,
  ],
  [
    "a first version after the newest",
    "UPDATE settings SET first_version = 9 WHERE path = 'c'",
    /leaves 2 versions of c.* and not 0/,
  ],
  [
    "settings of 101 versions",
    "UPDATE settings SET max_versions = 101 WHERE path = 'g'",
    /15 has invalid settings of g/,
  ],
  ["settings of no versions", "UPDATE settings SET max_versions = 0 WHERE path = 'g'", /15 has invalid settings of g/],
  ["a first version of 0", "UPDATE settings SET first_version = 0 WHERE path = 'g'", /15 has invalid settings of g/],
  ["a time to live of 0", "UPDATE settings SET default_ttl = 0 WHERE path = 'g'", /15 has invalid settings of g/],
  ["labels that are no JSON", "UPDATE settings SET labels = '[' WHERE path = 'g'", /15 has invalid settings of g/],
  [
    "labels that are not pairs",
    `UPDATE settings SET labels = '[["a"]]' WHERE path = 'g'`,
    /15 has invalid settings of g/,
  ],
  [
    "labels out of order",
    `UPDATE settings SET labels = '[["b","1"],["a","2"]]' WHERE path = 'g'`,
    /15 has invalid settings of g/,
  ],
  [
    "a label twice",
    `UPDATE settings SET labels = '[["a","1"],["a","2"]]' WHERE path = 'g'`,
    /15 has invalid settings of g/,
  ],
  [
    "a long description",
    "UPDATE settings SET description = hex(zeroblob(600)) WHERE path = 'g'",
    /15 has invalid settings of g/,
  ],
  ["settings without an author", "UPDATE settings SET author = '' WHERE path = 'g'", /15 has invalid settings of g/],
  ["settings of an invalid path", "UPDATE settings SET path = 'a//b' WHERE path = 'g'", /15 has an invalid path/],
  ["settings of another time", "UPDATE settings SET time = time - 1 WHERE path = 'g'", /15 has an earlier time/],
  [
    "a destroyed version with content",
    "UPDATE versions SET sealed = x'01' WHERE path = 'c' AND version = 2",
    /3 is destroyed and has 1 bytes/,
  ],
  [
    "an expired version with content",
    "UPDATE versions SET sealed = x'01' WHERE path = 'd'",
    /8 is expired and has 1 bytes/,
  ],
  [
    "a version that expired early",
    "UPDATE versions SET expire_time = state_time + 1 WHERE path = 'd'",
    /8 is expired before its time/,
  ],
  [
    "an expired version without a time",
    "UPDATE versions SET expire_time = NULL WHERE path = 'd'",
    /8 is expired before its time/,
  ],
  ["a version that a caller expired", "UPDATE versions SET state_by = 'x' WHERE path = 'd'", /8 is expired by "x"/],
  [
    "a version that the server destroyed",
    "UPDATE versions SET state_by = '' WHERE path = 'c' AND version = 2",
    /3 is destroyed by ""/,
  ],
  ["a tombstone of a secret that exists", "UPDATE tombstones SET path = 'd'", /11 purges d, which exists/],
  ["a tombstone of a secret with settings", "UPDATE tombstones SET path = 'c'", /11 purges c, which exists/],
  ["a version after a purge", "UPDATE tombstones SET path = 'f'", /14 has settings of f, which was purged/],
  [
    "a version after a purge, without settings",
    "UPDATE tombstones SET path = 'f'; DELETE FROM settings WHERE path = 'f'",
    /14 is a version of f, which was purged/,
  ],
  ["a tombstone of a negative version", "UPDATE tombstones SET last_version = -1", /11 has an invalid tombstone/],
  ["a tombstone without an author", "UPDATE tombstones SET author = ''", /11 has an invalid tombstone/],
  ["a tombstone of an invalid path", "UPDATE tombstones SET path = '/'", /11 has an invalid path/],
  ["a request without results", "UPDATE requests SET results = '{}'", /16 has an invalid request/],
  ["a request with a result that is not a list", "UPDATE requests SET results = '[[1]]'", /16 has an invalid request/],
  ["a request that was answered later", "UPDATE requests SET answer_revision = 16", /16 has an invalid request/],
  ["a request without a caller", "UPDATE requests SET caller = ''", /16 has an invalid request/],
  [
    "a request of another caller than the changes",
    "UPDATE requests SET revision = 15, caller = 'x', answer_revision = NULL",
    /15 has changes of different authors/,
  ],
];

async function refuses({ db, journal }: Opened, sql: string, says: RegExp): Promise<void> {
  db.exec(sql);
  await assert.rejects(loaded(journal), (error: StoreRefused) => {
    assert.equal(error.refusal, "damaged");
    assert.match(error.message, says);
    return true;
  });
  journal.close();
}

describe("the rows of a store", () => {
  it("are loaded when a series of changes has produced them", async () => {
    const { journal } = await twoSecrets();
    assert.equal((await loaded(journal)).at(-1)?.revision, 14);
    journal.close();
  });

  it("are loaded when changes of all kinds have produced them", async () => {
    const { journal } = await allKinds();
    assert.deepEqual(await summary(journal), ALL_KINDS);
    journal.close();
  });

  // Otherwise the server would serve only a part of the store, and the next Put could use a version number again.
  for (const [name, sql, says] of OF_TWO_SECRETS) {
    it(`are refused with ${name}`, async () => refuses(await twoSecrets(), sql, says));
  }
  for (const [name, sql, says] of OF_ALL_KINDS) {
    it(`are refused with ${name}`, async () => refuses(await allKinds(), sql, says));
  }

  // The load finds states, settings and tombstones by an index. SQLite's quick_check does not compare an index with its
  // table. Each case builds the index from another state of the table, and then restores the table without the index.
  for (const [name, index, other] of [
    ["a missing state", "versions_deleted", "UPDATE versions SET state_revision = NULL WHERE row_number = 3"],
    ["an additional state", "versions_deleted", "UPDATE versions SET state_revision = 7 WHERE path = 'f'"],
    ["another state", "versions_deleted", "UPDATE versions SET state_revision = 6 WHERE row_number = 3"],
    ["missing settings", "settings_order", "DELETE FROM settings WHERE path = 'g'"],
    ["settings of another revision", "settings_order", "UPDATE settings SET revision = 12 WHERE path = 'g'"],
    ["a missing tombstone", "tombstones_order", "DELETE FROM tombstones"],
    ["a tombstone of another revision", "tombstones_order", "UPDATE tombstones SET revision = 12"],
  ] as const) {
    it(`are refused when an index has ${name}`, async () => {
      const { db, journal } = await allKinds();
      withIndexOf(db, index, other);
      await assert.rejects(loaded(journal), { name: "StoreRefused", refusal: "damaged" });
      journal.close();
    });
  }

  // The control: the same steps without another state of the table.
  it("are loaded when an index was replaced by an equal one", async () => {
    const { db, journal } = await allKinds();
    withIndexOf(db, "settings_order", "");
    assert.deepEqual(await summary(journal), ALL_KINDS);
    journal.close();
  });
});

/** Replaces an index by one that was built from the rows after `other`, and leaves the tables as they are. */
function withIndexOf(db: Database.Database, index: string, other: string): void {
  const tables = ["versions", "settings", "tombstones"];
  for (const table of tables) db.exec(`CREATE TEMP TABLE copy_${table} AS SELECT * FROM ${table}`);
  db.exec(other);
  db.exec(`REINDEX ${index}`);
  const find = (column: string) =>
    db.prepare(`SELECT ${column} FROM sqlite_schema WHERE name = '${index}'`).pluck().get();
  const [root, sql, table] = [find("rootpage"), find("sql"), find("tbl_name")];
  db.unsafeMode(true);
  db.pragma("writable_schema = ON");
  db.exec(`DELETE FROM sqlite_schema WHERE name = '${index}'`);
  db.pragma("writable_schema = RESET");
  for (const one of tables) db.exec(`DELETE FROM ${one}; INSERT INTO ${one} SELECT * FROM copy_${one}`);
  db.pragma("writable_schema = ON");
  db.prepare("INSERT INTO sqlite_schema VALUES ('index', ?, ?, ?, ?)").run(index, table, root, sql);
  db.pragma("writable_schema = RESET");
}

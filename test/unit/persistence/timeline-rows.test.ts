import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import Database from "better-sqlite3";
import { MemoryJournal } from "../../../src/persistence/memory-journal.ts";
import { openDatabase } from "../../../src/persistence/database.ts";
import { SqliteJournal } from "../../../src/persistence/sqlite-journal.ts";
import { MAX_TIMELINES } from "../../../src/persistence/timeline-rows.ts";
import {
  committed,
  entries,
  entry,
  loaded,
  plainContent,
  put,
  temporaryFolder,
  timelines,
} from "../../support/persistence-kit.ts";

const FREE = () => 1e9;

/** The text of an id whose bytes are all equal. */
function idOf(byte: number): string {
  return Buffer.alloc(16, byte).toString("base64url");
}

/** A run of the server, which chooses an id of equal bytes. */
function run(file: string, byte: number): SqliteJournal {
  return new SqliteJournal(openDatabase(file, plainContent), FREE, (target) => target.fill(byte));
}

/** Changes a database that no server has open. */
function tamper(file: string, sql: string): void {
  const db = new Database(file);
  db.exec(sql);
  db.close();
}

/** The timelines of a store after a restart. */
async function reopened(file: string): Promise<readonly (readonly [number, string])[]> {
  const journal = run(file, 255);
  try {
    return await timelines(journal);
  } finally {
    journal.close();
  }
}

describe("the timelines of a store", () => {
  // Each run has one, from its first commit on. Only this commit reports it. The timeline of a new store has the id of the
  // store, which plainContent sets to equal bytes.
  it("are those of the runs that have committed, after that of the new store", async () => {
    const file = join(temporaryFolder(), "coffer.db");
    const first = run(file, 1);
    const [[start, storeId], ...others] = (await timelines(first)) as [[number, string]];
    assert.deepEqual([start, others], [0, []]);
    first.close();
    const second = run(file, 2);
    assert.deepEqual(await second.commit([]), { kind: "committed", revisions: [] }, "an empty group begins none");
    const outcome = await second.commit(entries(put("a", 1), put("b", 1)));
    assert.deepEqual(outcome, { kind: "committed", revisions: [1, 2], timeline: { first: 1, id: idOf(2) } });
    assert.deepEqual(await second.commit(entries(put("a", 2))), { kind: "committed", revisions: [3] });
    second.close();
    run(file, 3).close();
    const fourth = run(file, 4);
    await committed(fourth, entries(put("a", 3)));
    fourth.close();
    assert.deepEqual(await reopened(file), [
      [0, storeId],
      [1, idOf(2)],
      [4, idOf(4)],
    ]);
  });

  // A commit with several puts takes a revision for each of them. If a copy was made while an earlier run went on, the run
  // that began with the copy must not leave revisions in between to the earlier one, which has used them for other changes.
  it("begin with the revision after the last one, also if their first commit has several puts", async () => {
    const file = join(temporaryFolder(), "coffer.db");
    const first = run(file, 1);
    await committed(first, entries(put("a", 1)));
    first.close();
    const second = run(file, 2);
    const group = [entry(...["a", "b", "c"].map((path) => put(path, path === "a" ? 2 : 1)))];
    const outcome = await second.commit(group);
    assert.deepEqual(outcome, { kind: "committed", revisions: [4], timeline: { first: 2, id: idOf(2) } });
    second.close();
    assert.deepEqual((await reopened(file)).slice(1), [
      [1, idOf(1)],
      [2, idOf(2)],
    ]);
  });

  // A store with the tables of the release before has one timeline, whose id does not change with the migration.
  it("of an older release begin with that of the whole store", async () => {
    const file = join(temporaryFolder(), "coffer.db");
    const journal = run(file, 1);
    await committed(journal, entries(put("a", 1), put("b", 1)));
    const [[, storeId]] = (await timelines(journal)) as [[number, string]];
    journal.close();
    tamper(file, "DROP TABLE timelines; PRAGMA user_version = 3");
    assert.deepEqual(await reopened(file), [[0, storeId]]);
    const migrating = run(file, 2);
    await committed(migrating, entries(put("a", 2)));
    migrating.close();
    assert.deepEqual(await reopened(file), [
      [0, storeId],
      [3, idOf(2)],
    ]);
  });

  // The oldest ones are removed, whatever the number of restarts. A watcher that continues from one of them gets a snapshot.
  it("are at most a thousand", async () => {
    const file = join(temporaryFolder(), "coffer.db");
    const first = run(file, 1);
    await committed(first, entries(...Array.from({ length: 1100 }, (_, i) => put(`a${i}`, 1))));
    first.close();
    tamper(
      file,
      `INSERT INTO timelines WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < ${MAX_TIMELINES - 1})
         SELECT i, randomblob(16) FROM n`,
    );
    assert.equal((await reopened(file)).length, MAX_TIMELINES);
    for (const byte of [2, 3]) {
      const next = run(file, byte);
      await committed(next, entries(put("b", byte - 1)));
      next.close();
    }
    const last = await reopened(file);
    assert.deepEqual([last.length, last[0]?.[0], last.at(-1)], [MAX_TIMELINES, 2, [1102, idOf(3)]]);
  });

  // The load refuses rows that no release writes: a store without any, and a timeline that begins after the last commit.
  it("are refused if no release writes them", async () => {
    for (const damage of ["DELETE FROM timelines", "INSERT INTO timelines VALUES (2, randomblob(16))"]) {
      const file = join(temporaryFolder(), "coffer.db");
      const journal = run(file, 1);
      await committed(journal, entries(put("a", 1)));
      journal.close();
      assert.equal((await reopened(file)).length, 2);
      tamper(file, damage);
      await assert.rejects(reopened(file), { name: "StoreRefused", refusal: "damaged" }, damage);
    }
  });

  // A store in memory is a new one after each start.
  it("of a store in memory are one for each start", async () => {
    const [one, other] = [new MemoryJournal(), new MemoryJournal((target) => target.fill(7))];
    assert.deepEqual(await timelines(other), [[0, idOf(7)]]);
    assert.notEqual((await timelines(one))[0]?.[1], idOf(7));
    assert.deepEqual(await loaded(one), []);
  });
});

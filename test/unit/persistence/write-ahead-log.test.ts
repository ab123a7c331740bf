import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import Database from "better-sqlite3";
import { WriteAheadLog } from "../../../src/persistence/write-ahead-log.ts";
import { temporaryFolder } from "../../support/persistence-kit.ts";

describe("the write-ahead log", () => {
  // An incomplete checkpoint is an error, although SQLite reports it only as a number. The reader in this test stands
  // for a process that has opened the database despite the lock.
  it("throws if a checkpoint is incomplete", () => {
    const file = join(temporaryFolder(), "shared.db");
    const db = new Database(file, { timeout: 0 });
    db.exec("PRAGMA journal_mode = WAL; CREATE TABLE t (a); INSERT INTO t VALUES (1)");
    const reader = new Database(file);
    reader.exec("BEGIN; SELECT * FROM t");
    db.exec("INSERT INTO t VALUES (2)");
    const log = new WriteAheadLog(db);
    assert.throws(() => log.checkpoint("full"), /the checkpoint is incomplete: busy 1/);
    reader.exec("COMMIT");
    log.checkpoint("full");
    for (const each of [reader, db]) each.close();
  });
});

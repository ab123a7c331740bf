import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import Database from "better-sqlite3";
import { WriteAheadLog } from "../../../src/persistence/write-ahead-log.ts";
import { whyNoFaults } from "../../support/failing-disk.ts";
import { inChild, temporaryFolder } from "../../support/persistence-kit.ts";

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

  // Each commit is synced before it is acknowledged. fsync would also write the time of the last change, and with it the
  // journal of the file system.
  it("is synced by fdatasync once for each commit", { skip: whyNoFaults() ?? false }, () => {
    const data = join(temporaryFolder(), "data");
    const trace = `${data}.trace`;
    const script = `const store = openStore(data);
      const commit = (version) => committed(store.journal, entries(putSealed(store, "a", version, "value")));
      void commit(1).then(() => commit(2)).then(() => commit(3)).then(() => process.kill(process.pid, "SIGKILL"));`;
    const { stderr } = inChild(data, script, `exec strace -f -y -o '${trace}' -e trace=fsync,fdatasync "$@"`);
    assert.equal(stderr, "");
    const syncs = readFileSync(trace, "utf8").matchAll(/(\w+)\(\d+<[^>]*\/coffer\.db-wal>/g);
    // The first commit also syncs the header of the log.
    assert.deepEqual(
      Array.from(syncs, ([, call]) => call),
      ["fdatasync", "fdatasync", "fdatasync", "fdatasync"],
    );
  });
});

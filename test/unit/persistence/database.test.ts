import assert from "node:assert/strict";
import {
  closeSync,
  copyFileSync,
  existsSync,
  openSync,
  renameSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import Database from "better-sqlite3";
import { openDatabase } from "../../../src/persistence/database.ts";
import {
  committed,
  entries,
  inChild,
  openStore,
  plainContent,
  put,
  refusalKind,
  refusalOf,
  summary,
  temporaryFolder,
} from "../../support/persistence-kit.ts";

function databaseFile(): string {
  return join(temporaryFolder(), "coffer.db");
}

function makeDatabase(file = databaseFile()): string {
  openDatabase(file, plainContent).close();
  return file;
}

/** Changes a closed database as another program would. */
function tamper(file: string, sql: string): void {
  const db = new Database(file);
  db.exec(sql);
  db.close();
}

const open = (file: string) => refusalKind(() => openDatabase(file, plainContent).close());

describe("the database", () => {
  // Durability depends on each of these settings. A binding that ignores one without an error would lose data.
  it("has the settings that durability requires", () => {
    const db = openDatabase(databaseFile(), plainContent);
    const value = (name: string) => db.pragma(name, { simple: true });
    const expected = {
      journal_mode: "wal",
      locking_mode: "exclusive",
      synchronous: 3,
      wal_autocheckpoint: 0,
      mmap_size: 0,
    };
    for (const [name, answer] of Object.entries(expected)) assert.equal(value(name), answer, name);
    db.close();
  });

  // The tables and the first rows are created together and once. A failure leaves neither.
  it("is created completely or not at all", () => {
    const file = databaseFile();
    assert.throws(() => openDatabase(file, { ...plainContent, create: () => assert.fail("no entropy") }), /no entropy/);
    let created = 0;
    const create = (db: Database.Database) => {
      created++;
      plainContent.create(db);
    };
    for (const _ of [1, 2]) openDatabase(file, { ...plainContent, create }).close();
    assert.equal(created, 1);
  });

  // An older release can't interpret the data of a newer one, and could destroy it.
  it("is refused when a newer release wrote it", () => {
    const file = makeDatabase();
    assert.equal(open(file), undefined);
    tamper(file, "PRAGMA user_version = 5");
    const refused = refusalOf(() => openDatabase(file, plainContent));
    assert.equal(refused?.refusal, "newer schema");
    assert.match(refused?.message ?? "", /newer release of Coffer: its schema is 5, this release knows up to 4/);
  });

  // The file of another program does not become a store.
  it("is refused when it belongs to another program", () => {
    const [foreign, text] = [databaseFile(), databaseFile()];
    tamper(foreign, "CREATE TABLE t (a)");
    writeFileSync(text, "a text, and a rather long one, since SQLite reads a hundred bytes ".repeat(20));
    assert.equal(open(foreign), "not a store");
    assert.equal(open(text), "not a store");
  });

  // A trigger could undo every commit, and a missing index would hide deletions.
  it("is refused when its tables were changed", () => {
    const [triggered, indexless] = [makeDatabase(), makeDatabase()];
    tamper(triggered, "CREATE TRIGGER t AFTER INSERT ON versions BEGIN DELETE FROM versions; END");
    tamper(indexless, "DROP INDEX versions_deleted");
    assert.equal(open(triggered), "damaged");
    assert.equal(open(indexless), "damaged");
  });

  // SQLite would delete a log without its database, with the commits in it.
  it("is refused when only its log exists", async () => {
    const data = temporaryFolder();
    const file = join(data, "store", "coffer.db");
    const { stdout } = inChild(
      data,
      `const { journal } = openStore(data);
      await committed(journal, entries(put("a", 1)));
      console.log("committed");
      process.kill(process.pid, "SIGKILL");`,
    );
    assert.equal(stdout, "committed\n");
    const away = `${file}.away`;
    renameSync(file, away);
    assert.equal(
      refusalKind(() => openStore(data)),
      "damaged",
    );
    writeFileSync(file, "", { mode: 0o600 });
    assert.equal(
      refusalKind(() => openStore(data)),
      "damaged",
    );
    assert.ok(statSync(`${file}-wal`).size > 0);
    renameSync(away, file);
    const { journal } = openStore(data);
    assert.deepEqual(await summary(journal), ["1 put a 1"]);
    journal.close();
  });

  // The start detects damaged pages. Otherwise, a read of the running server would be the first to find them.
  it("is refused when its pages are damaged", async () => {
    const data = temporaryFolder();
    const { journal } = openStore(data);
    await committed(journal, entries(...Array.from({ length: 500 }, (_, index) => put(`a/${index}`, 1))));
    journal.close();
    const file = join(data, "store", "coffer.db");
    const copy = databaseFile();
    copyFileSync(file, copy);
    assert.equal(open(copy), undefined);
    overwrite(copy, statSync(copy).size - 4096);
    assert.equal(open(copy), "damaged");
    truncateSync(file, statSync(file).size - 4096);
    assert.equal(open(file), "damaged");
  });

  // Two servers on one store would overwrite each other's acknowledged changes.
  it("is refused while another process has it open", () => {
    const data = temporaryFolder();
    const attempt = () =>
      inChild(
        data,
        `const refused = refusalOf(() => openStore(data).journal.close());
        console.log(refused?.refusal, refused?.message);`,
      ).stdout;
    const { journal } = openStore(data);
    const refused = attempt();
    assert.match(refused, /^in use .*coffer\.db open: one server at a time/);
    if (existsSync("/proc/locks")) assert.match(refused, new RegExp(`process ${process.pid} has`));
    journal.close();
    assert.match(attempt(), /^undefined/);
  });
});

function overwrite(file: string, position: number): void {
  const descriptor = openSync(file, "r+");
  writeSync(descriptor, Buffer.alloc(4096, 0xa5), 0, 4096, position);
  closeSync(descriptor);
}

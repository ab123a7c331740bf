import assert from "node:assert/strict";
import { existsSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import type Database from "better-sqlite3";
import { openDatabase } from "../../../src/persistence/database.ts";
import { SqliteJournal } from "../../../src/persistence/sqlite-journal.ts";
import type { AnsweredRequest } from "../../../src/store/journal.ts";
import {
  committed,
  deletion,
  entries,
  entry,
  forget,
  inChild,
  loaded,
  openStore,
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

function openJournal(file = join(temporaryFolder(), "coffer.db"), freeBytes?: () => number): Opened {
  const db = openDatabase(file, plainContent);
  return { db, journal: new SqliteJournal(db, freeBytes) };
}

/** A summary of the journal's entries after it was closed and opened again. */
async function afterRestart({ db, journal }: Opened): Promise<string[]> {
  journal.close();
  const again = openJournal(db.name);
  const lines = await summary(again.journal);
  again.journal.close();
  return lines;
}

/** The rows of a database. For tests that prune versions that a store would retain: the load refuses such a database. */
function rowsOf(db: Database.Database): string[] {
  const rows = db.prepare<[], [number, string, number]>("SELECT row_number, path, version FROM versions").raw().all();
  return rows.map((row) => row.join(" "));
}

function pagesNotCheckpointed(db: Database.Database): number {
  const [state] = db.pragma("wal_checkpoint(NOOP)") as { log: number; checkpointed: number }[];
  return state!.log - state!.checkpointed;
}

const megabytes = (count: number) => Buffer.alloc(count * 1024 * 1024, 7);

describe("SQLite's journal", () => {
  // Each entry gets the next revision. After a restart, every field of every entry is present.
  it("returns the committed entries after a restart", async () => {
    const opened = openJournal();
    const sealed = Buffer.from("sealed bytes");
    assert.deepEqual(await committed(opened.journal, entries(put("a/b", 1, [], sealed), put("c", 1))), [1, 2]);
    assert.deepEqual(await committed(opened.journal, entries(deletion("a/b", [{ version: 1, row: 1 }]))), [3]);
    opened.journal.close();
    const { journal } = openJournal(opened.db.name);
    const all = await loaded(journal);
    assert.deepEqual(all, [
      { revision: 1, changes: [put("a/b", 1, [], sealed)], requests: undefined },
      { revision: 2, changes: [put("c", 1)], requests: undefined },
      { revision: 3, changes: [deletion("a/b", [{ version: 1, row: 1 }])], requests: undefined },
    ]);
    journal.close();
  });

  // `obstacle` reports a full disk, a missing folder and a closed journal before a change fails because of them.
  it("reports what would prevent the next commit", () => {
    let free = 1e9;
    const { db, journal } = openJournal(undefined, () => free);
    assert.equal(journal.obstacle(), undefined);
    free = 10_000;
    assert.match(journal.obstacle() ?? "", /has 10000 bytes left, and the next commit may take \d+$/);
    free = 1e9;
    assert.equal(journal.obstacle(), undefined);
    rmSync(dirname(db.name), { recursive: true });
    assert.match(journal.obstacle() ?? "", /can't be written \(ENOENT\)$/);
    journal.close();
    assert.equal(journal.obstacle(), "the journal has ended");
  });

  // A killed process loses no acknowledged change.
  it("has every committed entry after the process was killed", async () => {
    const data = temporaryFolder();
    const { stdout } = inChild(
      data,
      `const { journal } = openStore(data);
      for (let i = 1; i <= 50; i++) await committed(journal, entries(put("a/" + i, 1)));
      console.log("acknowledged");
      process.kill(process.pid, "SIGKILL");`,
    );
    assert.equal(stdout, "acknowledged\n");
    const { journal } = openStore(data);
    assert.equal((await summary(journal)).length, 50);
    journal.close();
  });

  // A pruned version no longer has a row. It can have been deleted before.
  it("removes the rows of pruned versions", async () => {
    const opened = openJournal();
    await committed(opened.journal, entries(put("a", 1), put("a", 2)));
    await committed(opened.journal, entries(deletion("a", [{ version: 1, row: 1 }])));
    await committed(opened.journal, entries(put("a", 3, [{ version: 1, row: 1 }])));
    assert.deepEqual(rowsOf(opened.db), ["2 a 2", "4 a 3"]);
    opened.journal.close();
  });

  // A group can delete and prune versions that it creates. Such a version has no revision before the commit.
  it("finds versions that the same group creates", async () => {
    const opened = openJournal();
    await committed(opened.journal, entries(put("a", 1), put("b", 1)));
    const own = (version: number) => [{ version, row: undefined }];
    await committed(
      opened.journal,
      entries(put("a", 2), put("b", 2), deletion("a", own(2)), put("b", 3, own(2)), put("a", 3, own(2))),
    );
    assert.deepEqual(rowsOf(opened.db), ["1 a 1", "2 b 1", "6 b 3", "7 a 3"]);
    opened.journal.close();
  });

  // A deletion whose rows are on two pages is loaded as one entry, in order, and other work can run between two pages.
  it("loads in order across pages", async () => {
    const opened = openJournal();
    const versions = Array.from({ length: 10 }, (_, index) => index + 1);
    await committed(opened.journal, entries(...versions.map((version) => put("a", version))));
    await committed(opened.journal, entries(...Array.from({ length: 4080 }, (_, index) => put(`b/${index}`, 1))));
    const refs = versions.map((version) => ({ version, row: version }));
    await committed(opened.journal, entries(deletion("a", refs), put("c", 1)));
    let turns = 0;
    setImmediate(() => turns++);
    const all = await loaded(opened.journal);
    assert.equal(turns, 1);
    assert.deepEqual(
      all.map(({ revision }) => revision),
      Array.from({ length: 4092 }, (_, index) => index + 1),
    );
    assert.equal(all[4090]?.changes.length, 10);
    opened.journal.close();
  });

  // If the store names a row that does not exist, memory and disk differ. The journal writes nothing more.
  it("ends after a change of a row that does not exist", async () => {
    for (const mistake of [
      deletion("a", [{ version: 9, row: 1 }]),
      deletion("b", [{ version: 1, row: 1 }]),
      put("a", 2, [{ version: 1, row: 2 }]),
      put("a", 2, [{ version: 1, row: undefined }]),
    ]) {
      const { journal } = openJournal();
      await committed(journal, entries(put("a", 1)));
      assert.equal((await journal.commit(entries(mistake))).kind, "unknown");
      assert.equal((await journal.commit(entries(put("c", 1)))).kind, "unknown");
    }
  });

  // A row that no release writes is not served. The load is refused.
  it("refuses to load rows that no release writes", async () => {
    for (const damage of ["path = 'a//b'", "version = 0", "create_time = 9007199254740993", "state_revision = 0"]) {
      const { db, journal } = openJournal();
      await committed(journal, entries(put("a", 1)));
      assert.equal((await loaded(journal)).length, 1);
      db.exec(`UPDATE versions SET state_time = 1, state_by = 'x', ${damage}`);
      await assert.rejects(loaded(journal), { name: "StoreRefused", refusal: "damaged" }, damage);
      journal.close();
    }
  });

  // After the loss of the lock, another server can open the store. After a move of the file, the next start would not
  // find the changes.
  it("ends when its lock is lost or its file is moved", () => {
    const script = (loss: string) => `import { openSync, closeSync, renameSync } from "node:fs";
      const { journal } = openStore(data);
      const file = data + "/store/coffer.db";
      console.log(journal.loss());
      ${loss}
      console.log(journal.loss());
      console.log((await journal.commit(entries(put("a", 1)), 0)).kind);
      process.kill(process.pid, "SIGKILL");`;
    const moved = inChild(temporaryFolder(), script("renameSync(file, file + '.moved');")).stdout;
    assert.match(moved, /^undefined\n\S+coffer\.db was moved, replaced or removed\nunknown\n$/);
    const lock = inChild(temporaryFolder(), script("closeSync(openSync(file));")).stdout;
    if (existsSync("/proc/locks")) assert.match(lock, /^undefined\nthe lock on \S+coffer\.db is lost\nunknown\n$/);
  });

  // A snapshot of a btrfs or ZFS volume has the same inode numbers as the volume. After it was mounted in its place, the path
  // leads to the same number on another device.
  it("ends when a file with the same inode number on another device is at its path", () => {
    const script = `import fs from "node:fs";
      import { syncBuiltinESMExports } from "node:module";
      const { journal } = openStore(data);
      console.log(journal.loss());
      const stat = fs.statSync;
      fs.statSync = (path, options) => {
        const stats = stat(path, options);
        return path.endsWith("coffer.db") ? Object.assign(stats, { dev: stats.dev + 1n }) : stats;
      };
      syncBuiltinESMExports();
      console.log(journal.loss());
      process.kill(process.pid, "SIGKILL");`;
    const { stdout } = inChild(temporaryFolder(), script);
    assert.match(stdout, /^undefined\n\S+coffer\.db was moved, replaced or removed\n$/);
  });

  // Unauthenticated clients can use up the descriptors of a server whose limit on open files is too low. The info of the
  // lock then can't be read, and the server must not take that for the loss of its lock, which would end it.
  it("reports no loss while the process has no free descriptor", () => {
    const script = `import { openSync, closeSync, readFileSync } from "node:fs";
      const { journal } = openStore(data);
      const opened = [];
      try { for (;;) opened.push(openSync("/dev/null")); } catch (error) { console.log(error.code); }
      try { readFileSync("/proc/locks"); } catch (error) { console.log(error.code); }
      console.log(journal.loss());
      for (const fd of opened) closeSync(fd);
      console.log(journal.loss());
      process.kill(process.pid, "SIGKILL");`;
    const { stdout } = inChild(temporaryFolder(), script);
    assert.match(stdout, /^EMFILE\n(EMFILE|ENOENT)\nundefined\nundefined\n$/);
  });

  // The check runs every second on the thread that commits. Reading /proc/locks stops it for 5 to 12 ms, because the kernel
  // waits until every CPU has noticed it.
  it("checks its lock without the kernel's list of all locks", () => {
    const script = `import fs from "node:fs";
      import { syncBuiltinESMExports } from "node:module";
      const { journal } = openStore(data);
      const read = fs.readFileSync;
      fs.readFileSync = (path, ...options) => {
        console.log(String(path).replace(/[0-9]+/, "N"));
        return read(path, ...options);
      };
      syncBuiltinESMExports();
      console.log(journal.loss());
      process.kill(process.pid, "SIGKILL");`;
    const { stdout } = inChild(temporaryFolder(), script);
    assert.equal(stdout, existsSync("/proc/self/fdinfo") ? "/proc/self/fdinfo/N\nundefined\n" : "undefined\n");
  });

  // A closed journal writes nothing.
  it("refuses commits and checkpoints after it was closed", async () => {
    const { journal } = openJournal();
    journal.close();
    journal.close();
    assert.equal((await journal.commit(entries(put("a", 1)))).kind, "unknown");
    assert.throws(() => journal.checkpoint("full"), /closed/);
  });
});

describe("an entry of the journal", () => {
  // The revision of an entry is the number of its last row, and each put has a row. So revisions have gaps.
  it("can have several puts, which share its revision", async () => {
    const opened = openJournal();
    const group = [entry(put("a", 1)), entry(put("a", 2), put("b", 1), put("c", 1)), entry(put("a", 3))];
    assert.deepEqual(await committed(opened.journal, group), [1, 4, 5]);
    assert.deepEqual(rowsOf(opened.db), ["1 a 1", "2 a 2", "3 b 1", "4 c 1", "5 a 3"]);
    const changes = [deletion("a", [{ version: 2, row: 2 }]), state("destroyed", "b", [{ version: 1, row: 3 }])];
    assert.deepEqual(await committed(opened.journal, [entry(...changes)]), [6]);
    const lines = ["1 put a 1", "4 put a 2", "4 put b 1", "4 put c 1", "5 put a 3", "6 deleted a 2", "6 destroyed b 1"];
    assert.deepEqual(await afterRestart(opened), lines);
    const { journal } = openJournal(opened.db.name);
    assert.deepEqual(
      (await loaded(journal)).flatMap(({ changes: all }) => all.flatMap((c) => (c.kind === "put" ? c.rowsBefore : []))),
      [0, 2, 1, 0, 0],
    );
    assert.deepEqual(await committed(journal, [entry(put("d", 1), put("d", 2))]), [8]);
    journal.close();
  });

  // The content of a destroyed or expired version is gone from its row. Everything else of the version remains.
  it("removes the content of versions", async () => {
    const opened = openJournal();
    const expiring = { ...put("a", 2), expireTime: put("a", 2).time };
    await committed(opened.journal, entries(put("a", 1), expiring));
    await committed(opened.journal, [
      entry(state("expired", "a", [{ version: 2, row: 2 }]), state("destroyed", "a", [{ version: 1, row: 1 }])),
    ]);
    opened.journal.close();
    const { journal } = openJournal(opened.db.name);
    assert.deepEqual(await loaded(journal), [
      { revision: 1, changes: [put("a", 1, [], Buffer.alloc(0))], requests: undefined },
      { revision: 2, changes: [{ ...expiring, sealed: Buffer.alloc(0) }], requests: undefined },
      {
        revision: 3,
        changes: [state("destroyed", "a", [{ version: 1, row: 1 }]), state("expired", "a", [{ version: 2, row: 2 }])],
        requests: undefined,
      },
    ]);
    journal.close();
  });

  // After a restart, a secret has all of its last settings, and no earlier ones.
  it("sets settings", async () => {
    const opened = openJournal();
    const labels = [
      ["a.example/b", "c"],
      ["d", ""],
    ] as const;
    const values = { maxVersions: 100, labels, description: "ünïcode \u0000", defaultTtl: 1, casRequired: true };
    await committed(opened.journal, entries(settings("a"), settings("b", { maxVersions: 1 }), settings("a", values)));
    opened.journal.close();
    const { journal } = openJournal(opened.db.name);
    assert.deepEqual(await loaded(journal), [
      { revision: 2, changes: [settings("b", { maxVersions: 1 })], requests: undefined },
      { revision: 3, changes: [settings("a", values)], requests: undefined },
    ]);
    journal.close();
  });

  // A purge leaves a tombstone. A later put comes with settings, which replace the tombstone. One entry can contain the
  // purge, the settings and the put.
  it("purges, and continues the version numbers", async () => {
    const opened = openJournal();
    const own = [{ version: 1, row: undefined }];
    await committed(opened.journal, [
      entry(put("a", 1), settings("a", { maxVersions: 3 })),
      entry(purge("a", 1, own)),
      entry(put("b", 1), purge("b", 1, own), settings("b", { firstVersion: 2 }), put("b", 2)),
      entry(put("c", 1)),
      entry(purge("c", 1, own), settings("c", { firstVersion: 2 })),
    ]);
    const lines = ["2 purge a 1", "4 settings b", "4 put b 2", "6 settings c"];
    assert.deepEqual(await afterRestart(opened), lines);
  });

  // A forgotten tombstone leaves no row. Its revision, and that of the entry, are not assigned again after a restart.
  it("forgets tombstones, and assigns no revision twice", async () => {
    const opened = openJournal();
    await committed(opened.journal, entries(put("a", 1), purge("a", 1, [{ version: 1, row: undefined }]), forget("a")));
    assert.deepEqual(await afterRestart(opened), []);
    const { journal } = openJournal(opened.db.name);
    assert.deepEqual(await committed(journal, entries(put("a", 1))), [4]);
    journal.close();
  });

  // A request is in the transaction of its change, or alone. An entry that forgets the requests before a time keeps the
  // later ones.
  it("remembers and forgets requests", async () => {
    const opened = openJournal();
    const { time } = put("a", 1);
    const results = [
      { versions: [1, 2], expireTime: 5 },
      { versions: [], expireTime: undefined },
    ];
    const first = request(1, { results });
    const alone = request(2, { revision: 1, time: time + 1 });
    const remember = (one: AnsweredRequest) => ({ kind: "remember", request: one }) as const;
    await committed(opened.journal, [
      { ...entry(put("a", 1)), requests: remember(first) },
      { changes: [], requests: remember(alone) },
    ]);
    opened.journal.close();
    const { journal } = openJournal(opened.db.name);
    assert.deepEqual(await loaded(journal), [
      { revision: 1, changes: [put("a", 1)], requests: remember(first) },
      { revision: 2, changes: [], requests: remember(alone) },
    ]);
    await committed(journal, [{ changes: [], requests: { kind: "forget", before: time + 1 } }]);
    journal.close();
    const again = openJournal(opened.db.name);
    assert.deepEqual(await summary(again.journal), ["1 put a 1", "2 request 0002"]);
    await committed(again.journal, [{ changes: [], requests: { kind: "forget", before: time + 2 } }]);
    assert.deepEqual(await afterRestart(again), ["1 put a 1"]);
    const last = openJournal(opened.db.name);
    assert.deepEqual(await committed(last.journal, entries(put("b", 1))), [5]);
    last.journal.close();
  });

  // Only a bug in the store can cause an entry that names a tombstone or request that does not exist. Such an entry ends
  // the journal, like one that names a version that does not exist.
  it("ends the journal if it forgets what does not exist", async () => {
    const { journal } = openJournal();
    assert.equal((await journal.commit(entries(forget("a")))).kind, "unknown");
  });
});

describe("a commit that fails", () => {
  // If the disk is full before COMMIT, no entry of the group is applied. Later commits succeed when there is space.
  it("is rejected when the disk is full", async () => {
    const opened = openJournal();
    const { db, journal } = opened;
    await committed(journal, entries(put("a", 1)));
    const limit = db.pragma("max_page_count", { simple: true });
    db.pragma(`max_page_count = ${db.pragma("page_count", { simple: true })}`);
    const outcome = await journal.commit(entries(put("b", 1), put("c", 1, [], megabytes(1)), put("d", 1)));
    assert.equal(outcome.kind, "rejected");
    assert.equal(db.inTransaction, false);
    assert.deepEqual(await committed(journal, entries(deletion("a", [{ version: 1, row: 1 }]))), [2]);
    db.pragma(`max_page_count = ${limit}`);
    assert.deepEqual(await committed(journal, entries(put("c", 1, [], megabytes(1)))), [3]);
    assert.deepEqual(await afterRestart(opened), ["1 put a 1", "2 deleted a 1", "3 put c 1"]);
  });

  // A COMMIT on a full disk could leave the outcome unknown, so it is not attempted. There must be space for the group
  // in the log and later in the database, and for the pages in the log that are not checkpointed. This holds for
  // deletions too.
  it("is rejected when it might not fit on the disk", async () => {
    let free = Number.POSITIVE_INFINITY;
    const opened = openJournal(undefined, () => free);
    const { db, journal } = opened;
    await committed(journal, entries(put("a", 1, [], megabytes(1))));
    const large = entries(put("b", 1, [], megabytes(1)));
    const small = entries(put("c", 1));
    free = 3 * 1024 * 1024;
    assert.equal((await journal.commit(large)).kind, "rejected");
    assert.equal(db.inTransaction, false);
    assert.deepEqual(await committed(journal, small), [2]);
    free = 1024 * 1024;
    assert.equal((await journal.commit(entries(put("d", 1)))).kind, "rejected");
    journal.checkpoint("full");
    assert.deepEqual(await committed(journal, entries(put("d", 1))), [3]);
    free = 0;
    assert.equal((await journal.commit(entries(deletion("a", [{ version: 1, row: 1 }])))).kind, "rejected");
    free = 6 * 1024 * 1024;
    assert.deepEqual(await committed(journal, large), [4]);
    assert.deepEqual(await afterRestart(opened), ["1 put a 1", "2 put c 1", "3 put d 1", "4 put b 1"]);
  });

  it("is rejected when the disk has no space for a deletion", async () => {
    const opened = openJournal();
    const { db, journal } = opened;
    await committed(journal, entries(put("a", 1)));
    db.pragma(`max_page_count = ${db.pragma("page_count", { simple: true })}`);
    const large = { ...deletion("a", [{ version: 1, row: 1 }]), author: "x".repeat(10_000) };
    assert.equal((await journal.commit(entries(large))).kind, "rejected");
    assert.equal(db.inTransaction, false);
    await committed(journal, entries(deletion("a", [{ version: 1, row: 1 }])));
    assert.deepEqual(await afterRestart(opened), ["1 put a 1", "2 deleted a 1"]);
  });

  // After an I/O error (here: a limit on the file size) the outcome is unknown, and the process writes nothing more.
  // After a restart, all acknowledged changes are present, and the failed group is present completely or not at all.
  it("has an unknown outcome after an I/O error", async () => {
    const data = temporaryFolder();
    const script = `const { journal } = openStore(data);
      await committed(journal, entries(put("a", 1)));
      const failed = await journal.commit(entries(put("b", 1), put("c", 1, [], Buffer.alloc(1 << 20))), 1);
      const next = await journal.commit(entries(put("d", 1)), 1);
      let checkpoint = "succeeded";
      try { journal.checkpoint("full"); } catch (error) { checkpoint = error.code; }
      journal.close();
      console.log(failed.kind, failed.cause?.code, next.kind, checkpoint);
      process.kill(process.pid, "SIGKILL");`;
    const { stdout } = inChild(data, script, 'ulimit -f 512 && exec "$@"');
    assert.match(stdout, /^unknown SQLITE_IOERR_WRITE unknown SQLITE_IOERR_WRITE\n$/);
    const { journal } = openStore(data);
    const lines = await summary(journal);
    assert.equal(lines[0], "1 put a 1");
    assert.ok(lines.length === 1 || lines.length === 3, lines.join());
    journal.close();
  });

  // The disk can become full during COMMIT. The journal then reads the log again. If the commit is not in it, the group
  // is rejected, and later commits succeed when there is space.
  it("is rejected when the disk is full at COMMIT", {
    skip: process.geteuid?.() !== 0 && "needs root to mount",
  }, (t) => {
    const data = temporaryFolder();
    const mount = `mount -t tmpfs -o size=512k tmpfs '${data}' && exec "$@"`;
    const script = `const { journal } = openStore(data, rootKey(), { freeBytes: () => Infinity });
      await committed(journal, entries(put("a", 1)));
      const failed = await journal.commit(entries(put("b", 1, [], Buffer.alloc(1 << 20))), 1);
      const small = await journal.commit(entries(put("c", 1)), 1);
      console.log(failed.kind, failed.cause?.cause?.code, small.kind);
      journal.close();
      const again = openStore(data, rootKey(), { freeBytes: () => Infinity });
      console.log((await loaded(again.journal)).map(({ changes }) => changes[0].path).join());
      process.kill(process.pid, "SIGKILL");`;
    const { stdout, stderr } = inChild(
      data,
      script,
      `exec unshare -m sh -c "$MOUNT" sh "$@"`.replace("$MOUNT", mount.replaceAll(/["$]/g, "\\$&")),
    );
    if (/unshare|mount/.test(stderr)) return t.skip("this machine does not allow mounts");
    assert.equal(stdout, "rejected SQLITE_FULL committed\na,c\n");
  });
});

describe("a checkpoint", () => {
  // A small log is not checkpointed, so that most commits cause no checkpoint. From 4 MiB on, it is.
  it("is due from 4 MiB on", async () => {
    const { db, journal } = openJournal();
    await committed(journal, entries(put("a", 1, [], megabytes(3))));
    journal.checkpoint("due");
    assert.notEqual(pagesNotCheckpointed(db), 0);
    await committed(journal, entries(put("a", 2, [], megabytes(2))));
    journal.checkpoint("due");
    assert.equal(pagesNotCheckpointed(db), 0);
    assert.ok(statSync(`${db.name}-wal`).size > 0);
    journal.close();
  });

  // A due checkpoint truncates a log that has grown to 64 MiB. A full checkpoint always truncates the log.
  it("truncates a log of 64 MiB", async () => {
    const { db, journal } = openJournal();
    for (let version = 1; version <= 17; version++)
      await committed(journal, entries(put("a", version, [], megabytes(4))));
    assert.ok(statSync(`${db.name}-wal`).size > 64 * 1024 * 1024);
    journal.checkpoint("due");
    assert.equal(statSync(`${db.name}-wal`).size, 0);
    await committed(journal, entries(put("b", 1)));
    journal.checkpoint("full");
    assert.equal(statSync(`${db.name}-wal`).size, 0);
    journal.close();
  });

  // A failure is reported, unlike a failure of SQLite's automatic checkpoints, and the journal writes nothing more.
  it("that fails throws, and ends the journal", () => {
    const script = `const { journal } = openStore(data);
      let failure = "none";
      for (let version = 1; version <= 20 && failure === "none"; version++) {
        await committed(journal, entries(put("a", version, [], Buffer.alloc(100_000))));
        try { journal.checkpoint("full"); } catch (error) { failure = error.code; }
      }
      console.log(failure, (await journal.commit(entries(put("b", 1)), 0)).kind);
      process.kill(process.pid, "SIGKILL");`;
    assert.equal(inChild(temporaryFolder(), script, 'exec "$@"').stdout, "none committed\n");
    const { stdout } = inChild(temporaryFolder(), script, 'ulimit -f 512 && exec "$@"');
    assert.match(stdout, /^SQLITE_IOERR\w* unknown\n$/);
  });
});

import assert from "node:assert/strict";
import { readFileSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import Database from "better-sqlite3";
import { whyNoFaults } from "../../support/failing-disk.ts";
import { bytesBelow } from "../../support/folder-bytes.ts";
import { copyAsIs } from "../../support/copy-folder.ts";
import { makeOlderStore } from "../../support/older-store.ts";
import {
  committed,
  deletion,
  entries,
  inChild,
  openStore,
  putSealed,
  refusalOf,
  rootKey,
  state,
  summary,
  temporaryFolder,
} from "../../support/persistence-kit.ts";

/**
 * The number of the page with the first rows, from 0. The six pages before it are the roots of tables and of an index.
 */
const FIRST_LEAF = 6;

/** The number of commits in the database, and of those that are only in the log. */
const FOLDED = 30;
const LOGGED = 12;

/**
 * Copies of a store: of a killed server with a long log, of the same server when it was closed, and of an earlier time.
 */
async function killedStore(): Promise<{ readonly killed: string; readonly closed: string; readonly earlier: string }> {
  const [data, elsewhere] = [temporaryFolder(), temporaryFolder()];
  const store = openStore(data);
  const write = async (from: number, count: number) => {
    for (let i = from; i < from + count; i++) {
      await committed(store.journal, entries(putSealed(store, `path/${i}`, 1, `value ${i}`.repeat(40))));
    }
  };
  await write(0, FOLDED / 2);
  const earlier = join(elsewhere, "earlier");
  copyAsIs(data, earlier);
  await write(FOLDED / 2, FOLDED / 2);
  store.journal.checkpoint("full");
  await write(FOLDED, LOGGED);
  const killed = join(elsewhere, "killed");
  copyAsIs(data, killed);
  store.journal.close();
  return { killed, closed: data, earlier };
}

const file = (data: string, suffix = "") => join(data, "store", `coffer.db${suffix}`);

function tamper(data: string, sql: string): void {
  const db = new Database(file(data));
  db.exec(sql);
  db.close();
}

function changeByte(path: string, position: number): void {
  const bytes = readFileSync(path);
  bytes[position]! ^= 0x10;
  writeFileSync(path, bytes);
}

async function pathsIn(data: string): Promise<string[]> {
  const { journal } = openStore(data);
  try {
    return await summary(journal);
  } finally {
    journal.close();
  }
}

const { killed, closed, earlier } = await killedStore();
const other = await killedStore();

/** Changes of the store of a killed or a closed server, and the reason for which the start is refused. */
const CASES: readonly (readonly [name: string, from: string, refusal: string, change: (data: string) => void])[] = [
  ["the log of another store", killed, "damaged", (data) => copyOver(file(other.killed, "-wal"), file(data, "-wal"))],
  [
    "the log of another store beside the database of a closed server",
    closed,
    "damaged",
    (data) => copyOver(file(other.killed, "-wal"), file(data, "-wal")),
  ],
  ["a log of an earlier time", closed, "damaged", (data) => copyOver(file(earlier, "-wal"), file(data, "-wal"))],
  ["a database of an earlier time", killed, "damaged", (data) => copyOver(file(earlier), file(data))],
  ["a database of another store", killed, "damaged", (data) => copyOver(file(other.closed), file(data))],
  ["a flipped bit in the log", killed, "damaged", (data) => changeByte(file(data, "-wal"), 32 + 24 + 100)],
  ["a log without its header", killed, "damaged", (data) => changeByte(file(data, "-wal"), 3)],
  ["only the log", killed, "damaged", (data) => rmSync(file(data))],
  ["an empty database beside its log", killed, "damaged", (data) => writeFileSync(file(data), "", { mode: 0o600 })],
  ["a damaged page", killed, "damaged", (data) => damageFirstLeaf(file(data))],
  ["a damaged page in the store of a closed server", closed, "damaged", (data) => damageFirstLeaf(file(data))],
  ["a rollback journal", closed, "damaged", (data) => writeFileSync(file(data, "-journal"), "x", { mode: 0o600 })],
  [
    "a trigger",
    closed,
    "damaged",
    (data) => tamper(data, "CREATE TRIGGER t AFTER INSERT ON versions BEGIN SELECT 1; END"),
  ],
  ["no data key", closed, "damaged", (data) => tamper(data, "DELETE FROM data_keys")],
  ["a newer schema", closed, "newer schema", (data) => tamper(data, "PRAGMA user_version = 99")],
  ["another program's database", closed, "not a store", (data) => tamper(data, "PRAGMA application_id = 7")],
  [
    "a text file in place of the database",
    closed,
    "not a store",
    (data) => writeFileSync(file(data), "a text ".repeat(1000)),
  ],
  [
    "a file that is a link",
    closed,
    "wrong kind",
    (data) => {
      renameSync(file(data), `${data}.db`);
      symlinkSync(`${data}.db`, file(data));
    },
  ],
];

function copyOver(from: string, to: string): void {
  writeFileSync(to, readFileSync(from), { mode: 0o600 });
}

/** Damages a page of the table `versions` that no log of these tests replaces. */
function damageFirstLeaf(path: string): void {
  const bytes = readFileSync(path);
  bytes.fill(0xa5, FIRST_LEAF * 4096, (FIRST_LEAF + 1) * 4096);
  writeFileSync(path, bytes);
}

describe("a refused start", () => {
  // The control: the unchanged stores open.
  it("does not occur with the unchanged stores of these tests", async () => {
    for (const from of [killed, closed]) {
      const data = join(temporaryFolder(), "data");
      copyAsIs(from, data);
      assert.equal((await pathsIn(data)).length, FOLDED + LOGGED);
    }
  });

  // A start writes nothing before every check has passed. So the store opens after the right file is put back.
  for (const [name, from, refusal, change] of CASES) {
    it(`for ${name} changes no byte`, () => {
      const data = join(temporaryFolder(), "data");
      copyAsIs(from, data);
      change(data);
      const before = bytesBelow(data);
      const refused = refusalOf(() => openStore(data).journal.close());
      assert.equal(refused?.refusal, refusal, refused?.message);
      assert.deepEqual(bytesBelow(data), before);
    });
  }

  for (const from of [killed, closed]) {
    it(`for a wrong root key changes no byte of the store of a ${from === killed ? "killed" : "closed"} server`, () => {
      const data = join(temporaryFolder(), "data");
      copyAsIs(from, data);
      const before = bytesBelow(data);
      assert.equal(refusalOf(() => openStore(data, rootKey(8)))?.refusal, "wrong root key");
      assert.deepEqual(bytesBelow(data), before);
    });
  }

  // In the store of a closed server, the load finds the contradiction, while it has the database open.
  it("for rows that contradict each other changes no byte", async () => {
    for (const leave of [tamper, tamperAndDie]) {
      const data = join(temporaryFolder(), "data");
      copyAsIs(closed, data);
      leave(data, "UPDATE versions SET version = 7 WHERE row_number = 3");
      const before = bytesBelow(data);
      await assert.rejects(pathsIn(data), { name: "StoreRefused", refusal: "damaged" });
      assert.deepEqual(bytesBelow(data), before);
    }
  });

  // While another process uses the store, its log must not be reported as damaged.
  it("for a store in use changes no byte", () => {
    const data = join(temporaryFolder(), "data");
    copyAsIs(killed, data);
    const { journal } = openStore(data);
    const before = bytesBelow(data);
    const { stdout } = inChild(data, "console.log(refusalOf(() => openStore(data))?.refusal)");
    assert.equal(stdout, "in use\n");
    assert.equal(refusalOf(() => openStore(data))?.refusal, "in use");
    assert.deepEqual(bytesBelow(data), before);
    journal.close();
  });
});

/** Changes the store like {@link tamper}, but with a tool that is killed and leaves its log. */
function tamperAndDie(data: string, sql: string): void {
  const copy = `${data}.copy`;
  const db = new Database(file(data));
  db.exec(
    `PRAGMA locking_mode = EXCLUSIVE; PRAGMA wal_autocheckpoint = 0; ${sql}; UPDATE log_mark SET number = x'0000000000000063'`,
  );
  copyAsIs(data, copy);
  db.close();
  rmSync(data, { recursive: true });
  renameSync(copy, data);
}

// A failing disk does not mean that the store is damaged. Restoring an older copy would lose acknowledged changes.
describe("an I/O error at the start", { skip: whyNoFaults() ?? false }, () => {
  for (const [name, from, suffix] of [
    ["the database", closed, ""],
    ["the database below a log", killed, ""],
    ["the log", killed, "-wal"],
  ] as const) {
    it(`of ${name} is reported as an I/O error, and changes no byte`, async () => {
      const data = join(temporaryFolder(), "data");
      copyAsIs(from, data);
      const before = bytesBelow(data);
      let refusals = 0;
      for (let when = 1; when <= 12; when++) {
        const said = startFailing(data, file(data, suffix), when);
        if (said === "opened") continue;
        refusals++;
        assert.match(said, /^failing disk .*can't be read or written .*start again before you restore/);
        // If there is a log, the start writes the database with the changes of the log to a new file, which replaces
        // the database. The error can occur after that.
        if (from === closed || statSync(file(data, "-wal"), { throwIfNoEntry: false })?.size)
          assert.deepEqual(bytesBelow(data), before);
        else assert.equal((await pathsIn(data)).length, FOLDED + LOGGED);
        rmSync(data, { recursive: true });
        copyAsIs(from, data);
      }
      assert.ok(refusals > 0, "no read was made to fail");
    });
  }
});

/** The output of a start whose n-th read of a file fails with EIO. If it opens the store, the files are restored. */
function startFailing(data: string, path: string, when: number): string {
  const script = `const refused = refusalOf(() => openStore(data));
    console.log(refused === undefined ? "opened" : refused.refusal + " " + refused.message);
    process.kill(process.pid, "SIGKILL");`;
  const trace = `exec strace -f -o /dev/null -P '${path}' -e trace=pread64,read -e inject=pread64,read:error=EIO:when=${when} "$@"`;
  const before = `${data}.before`;
  copyAsIs(data, before);
  const { stdout } = inChild(data, script, trace);
  if (stdout.startsWith("opened")) {
    rmSync(data, { recursive: true });
    renameSync(before, data);
  } else rmSync(before, { recursive: true });
  return stdout.trim();
}

describe("a store of an older release", () => {
  const storeId = Buffer.alloc(16, 4);
  const folded = { a: "of a", b: "of b" };

  // After a close or a kill, the store opens with all its contents and deletions, and the start writes nothing. The first
  // change migrates it to this release's schema. Deleted versions can then be undeleted, and all other changes are
  // accepted.
  for (const schema of [1, 2] as const) {
    for (const logged of [{}, { c: "of c", d: "of d" }]) {
      it(`of schema ${schema} opens and accepts changes, with ${Object.keys(logged).length} puts in its log`, async () => {
        const data = join(temporaryFolder(), "data");
        makeOlderStore({ data, rootKey: rootKey(), storeId, folded, logged, schema, deleted: ["b", "a"] });
        const before = bytesBelow(data);
        assert.equal(refusalOf(() => openStore(data, rootKey(8)))?.refusal, "wrong root key");
        assert.deepEqual(bytesBelow(data), before);
        const paths = Object.keys({ ...folded, ...logged });
        const puts = paths.map((path, i) => `${i + 1} put ${path} 1`);
        const last = paths.length + 2;
        const deletions = [`${last - 1} deleted b 1`, `${last} deleted a 1`];
        assert.deepEqual(await pathsIn(data), [...puts, ...deletions]);
        if (Object.keys(logged).length === 0) assert.deepEqual(bytesBelow(data), before);
        const store = openStore(data);
        const time = 1_700_000_000_002;
        const later = [
          { ...putSealed(store, "z", 1, "of z"), time },
          { ...state("live", "b", [{ version: 1, row: 2 }]), time },
          { ...state("destroyed", "a", [{ version: 1, row: 1 }]), time },
        ];
        assert.deepEqual(await committed(store.journal, entries(...later)), [last + 1, last + 2, last + 3]);
        store.journal.close();
        const db = new Database(file(data), { readonly: true });
        assert.equal(db.pragma("user_version", { simple: true }), 4);
        assert.equal(db.pragma("integrity_check", { simple: true }), "ok");
        db.close();
        const ended = [`${last + 1} put z 1`, `${last + 2} live b 1`, `${last + 3} destroyed a 1`];
        assert.deepEqual(await pathsIn(data), [...puts, ...ended]);
      });
    }
  }

  // A migration whose commit is rejected leaves the old tables, and the next change tries again.
  it("is not migrated while the disk is full", async () => {
    const data = join(temporaryFolder(), "data");
    makeOlderStore({ data, rootKey: rootKey(), storeId, folded, logged: {} });
    let free = 100_000;
    const { journal } = openStore(data, rootKey(), { freeBytes: () => free });
    assert.equal((await journal.commit(entries(deletion("a", [{ version: 1, row: 1 }])))).kind, "rejected");
    assert.deepEqual(await summary(journal), ["1 put a 1", "2 put b 1"]);
    free = Number.POSITIVE_INFINITY;
    assert.deepEqual(await committed(journal, entries(deletion("a", [{ version: 1, row: 1 }]))), [3]);
    journal.close();
    assert.deepEqual(await pathsIn(data), ["1 put a 1", "2 put b 1", "3 deleted a 1"]);
  });

  // A log of the first schema has no marks that name its store. If the data key does not decrypt the contents in the
  // log, the log belongs to another store.
  it("is refused with the log of another store", () => {
    const [data, foreign] = [join(temporaryFolder(), "data"), join(temporaryFolder(), "data")];
    makeOlderStore({ data, rootKey: rootKey(), storeId, folded, logged: {} });
    makeOlderStore({ data: foreign, rootKey: rootKey(), storeId: Buffer.alloc(16, 5), folded, logged: { c: "of c" } });
    copyOver(file(foreign, "-wal"), file(data, "-wal"));
    const before = bytesBelow(data);
    assert.equal(refusalOf(() => openStore(data))?.refusal, "damaged");
    assert.deepEqual(bytesBelow(data), before);
  });
});

// The control of the strace tests: without an injected error, the same child opens the store.
it("a start without an injected error opens the store", { skip: whyNoFaults() ?? false }, () => {
  const data = join(temporaryFolder(), "data");
  copyAsIs(closed, data);
  assert.equal(startFailing(data, `${data}.nothing`, 1), "opened");
});

// If its folder is not synced, a power failure can remove the name of a new file. SQLite ignores a failed sync of the
// folder of its log. So a start that can't sync its folders is refused, and the next start syncs them.
describe("a folder that can't be synced", { skip: whyNoFaults() ?? false }, () => {
  const script = `const refused = refusalOf(() => openStore(data).journal.close());
    console.log(refused === undefined ? "opened" : refused.refusal);`;

  for (const which of ["the parent of the data folder", "the data folder", "the folder of the store"]) {
    it(`causes a refused start, and the next start syncs it: ${which}`, () => {
      const parent = temporaryFolder();
      const data = join(parent, "data");
      const folder = which.startsWith("the parent") ? parent : which === "the data folder" ? data : join(data, "store");
      const trace = join(parent, "trace");
      const traced = `exec strace -f -o '${trace}' -P '${folder}' -e trace=fsync`;
      assert.equal(inChild(data, script, `${traced} -e inject=fsync:error=EIO "$@"`).stdout, "failing disk\n");
      assert.match(readFileSync(trace, "utf8"), /fsync\(\d+\) .*EIO/);
      assert.equal(inChild(data, script, `${traced} "$@"`).stdout, "opened\n");
      assert.match(readFileSync(trace, "utf8"), /fsync\(\d+\) += 0/);
      // A start on an existing store does not assume that its names are durable either.
      assert.equal(inChild(data, script, `${traced} -e inject=fsync:error=EIO "$@"`).stdout, "failing disk\n");
    });
  }
});

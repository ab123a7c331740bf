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
  entries,
  inChild,
  loaded,
  openStore,
  putSealed,
  refusalOf,
  rootKey,
  summary,
  temporaryFolder,
} from "../../support/persistence-kit.ts";

/** The place of a page that the first rows are on: six pages before it are the roots of tables and of an index. */
const FIRST_LEAF = 6;

/** Commits that only the log has, and those that the database has. */
const FOLDED = 30;
const LOGGED = 12;

/** The files of a store as a kill leaves them, with a long log; and, with `folded`, the same store when it is closed. */
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

/** Each reason for which a start is refused, as a change of a store that was killed or closed. */
const CASES: readonly (readonly [name: string, from: string, refusal: string, change: (data: string) => void])[] = [
  ["the log of another store", killed, "damaged", (data) => copyOver(file(other.killed, "-wal"), file(data, "-wal"))],
  [
    "the log of another store, closed",
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
  ["a damaged page, closed", closed, "damaged", (data) => damageFirstLeaf(file(data))],
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
  ["no database", closed, "not a store", (data) => writeFileSync(file(data), "a text ".repeat(1000))],
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

/** A page of the table of versions that no log of these tests replaces. */
function damageFirstLeaf(path: string): void {
  const bytes = readFileSync(path);
  bytes.fill(0xa5, FIRST_LEAF * 4096, (FIRST_LEAF + 1) * 4096);
  writeFileSync(path, bytes);
}

describe("a refused start", () => {
  // Control: what the cases below change is accepted as it is.
  it("is not what the stores of these tests get", async () => {
    for (const from of [killed, closed]) {
      const data = join(temporaryFolder(), "data");
      copyAsIs(from, data);
      assert.equal((await pathsIn(data)).length, FOLDED + LOGGED);
    }
  });

  // A start writes nothing before every check has passed. With the right file back in its place the store opens.
  for (const [name, from, refusal, change] of CASES) {
    it(`for ${name} leaves every byte as it was`, () => {
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
    it(`for a wrong root key leaves every byte as it was, ${from === killed ? "killed" : "closed"}`, () => {
      const data = join(temporaryFolder(), "data");
      copyAsIs(from, data);
      const before = bytesBelow(data);
      assert.equal(refusalOf(() => openStore(data, rootKey(8)))?.refusal, "wrong root key");
      assert.deepEqual(bytesBelow(data), before);
    });
  }

  // A store that was closed is found to contradict itself by its load, which holds the database open.
  it("for rows that contradict each other leaves every byte as it was", async () => {
    for (const leave of [tamper, tamperAndDie]) {
      const data = join(temporaryFolder(), "data");
      copyAsIs(closed, data);
      leave(data, "UPDATE versions SET version = 7 WHERE revision = 3");
      const before = bytesBelow(data);
      await assert.rejects(pathsIn(data), { name: "StoreRefused", refusal: "damaged" });
      assert.deepEqual(bytesBelow(data), before);
    }
  });

  // While another process has the store, its log is not looked at as if it were damaged.
  it("for a store in use changes nothing", () => {
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

/** The same by a tool that is killed, and leaves its log behind. */
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

// A disk that fails to read says nothing about the store: an older copy would take back what was acknowledged.
describe("an I/O error at the start", { skip: whyNoFaults() ?? false }, () => {
  for (const [name, from, suffix] of [
    ["the database", closed, ""],
    ["the database below a log", killed, ""],
    ["the log", killed, "-wal"],
  ] as const) {
    it(`of ${name} is reported as one, and changes nothing`, async () => {
      const data = join(temporaryFolder(), "data");
      copyAsIs(from, data);
      const before = bytesBelow(data);
      let refusals = 0;
      for (let when = 1; when <= 12; when++) {
        const said = startFailing(data, file(data, suffix), when);
        if (said === "opened") continue;
        refusals++;
        assert.match(said, /^failing disk .*can't be read or written .*start again before you restore/);
        // With a log, the error may come behind all checks, when the new file is in place already.
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

/** What a start says when its n-th read of a file fails with EIO. A store that it opened is put back as it was. */
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

describe("a store of the first schema", () => {
  const storeId = Buffer.alloc(16, 4);
  const folded = { a: "of a", b: "of b" };

  // Closed or killed, it opens with all that it holds, takes changes, and is of this release's schema from then on.
  for (const logged of [{}, { c: "of c", d: "of d" }]) {
    it(`opens and takes changes, with ${Object.keys(logged).length} commits in its log`, async () => {
      const data = join(temporaryFolder(), "data");
      makeOlderStore({ data, rootKey: rootKey(), storeId, folded, logged });
      const before = bytesBelow(data);
      assert.equal(refusalOf(() => openStore(data, rootKey(8)))?.refusal, "wrong root key");
      assert.deepEqual(bytesBelow(data), before);
      const expected = Object.keys({ ...folded, ...logged });
      const store = openStore(data);
      const found = (await loaded(store.journal)).flatMap(({ changes }) => changes.map(({ path }) => path));
      assert.deepEqual(found, expected);
      await committed(store.journal, entries(putSealed(store, "z", 1, "of z")));
      store.journal.close();
      const db = new Database(file(data), { readonly: true });
      assert.equal(db.pragma("user_version", { simple: true }), 2);
      db.close();
      assert.equal((await pathsIn(data)).length, expected.length + 1);
    });
  }

  // Its log has no mark. That nothing in it opens shows that it is another store's.
  it("is refused with the log of another one", () => {
    const [data, foreign] = [join(temporaryFolder(), "data"), join(temporaryFolder(), "data")];
    makeOlderStore({ data, rootKey: rootKey(), storeId, folded, logged: {} });
    makeOlderStore({ data: foreign, rootKey: rootKey(), storeId: Buffer.alloc(16, 5), folded, logged: { c: "of c" } });
    copyOver(file(foreign, "-wal"), file(data, "-wal"));
    const before = bytesBelow(data);
    assert.equal(refusalOf(() => openStore(data))?.refusal, "damaged");
    assert.deepEqual(bytesBelow(data), before);
  });
});

// The control of the strace tests: without a fault the same child opens the store.
it("a start without a fault opens", { skip: whyNoFaults() ?? false }, () => {
  const data = join(temporaryFolder(), "data");
  copyAsIs(closed, data);
  assert.equal(startFailing(data, `${data}.nothing`, 1), "opened");
});

// Without the sync of its folder, a power cut takes the name of a new file away again, and SQLite ignores it when that of
// its log fails. A start that can't make its names durable is refused; and the next one makes sure of those that are there.
describe("a folder that can't be synced", { skip: whyNoFaults() ?? false }, () => {
  const script = `const refused = refusalOf(() => openStore(data).journal.close());
    console.log(refused === undefined ? "opened" : refused.refusal);`;

  for (const which of ["the parent of the data folder", "the data folder", "the folder of the store"]) {
    it(`refuses the start that makes the store, and is synced by the next one: ${which}`, () => {
      const parent = temporaryFolder();
      const data = join(parent, "data");
      const folder = which.startsWith("the parent") ? parent : which === "the data folder" ? data : join(data, "store");
      const trace = join(parent, "trace");
      const traced = `exec strace -f -o '${trace}' -P '${folder}' -e trace=fsync`;
      assert.equal(inChild(data, script, `${traced} -e inject=fsync:error=EIO "$@"`).stdout, "failing disk\n");
      assert.match(readFileSync(trace, "utf8"), /fsync\(\d+\) .*EIO/);
      assert.equal(inChild(data, script, `${traced} "$@"`).stdout, "opened\n");
      assert.match(readFileSync(trace, "utf8"), /fsync\(\d+\) += 0/);
      // A store that is there already is not trusted to have durable names either.
      assert.equal(inChild(data, script, `${traced} -e inject=fsync:error=EIO "$@"`).stdout, "failing disk\n");
    });
  }
});

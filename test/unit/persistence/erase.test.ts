import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { openDatabase } from "../../../src/persistence/database.ts";
import { SqliteJournal } from "../../../src/persistence/sqlite-journal.ts";
import type { Change, VersionRef } from "../../../src/store/change.ts";
import { randomFrom } from "../../durability/load.ts";
import { piecesIn } from "../../support/content-search.ts";
import {
  committed,
  deletion,
  entries,
  entry,
  inChild,
  openStore,
  plainContent,
  purge,
  put,
  settings,
  state,
  summary,
  temporaryFolder,
} from "../../support/persistence-kit.ts";

/** The names of the files in a folder that contain a piece of a content. */
function filesWith(folder: string, content: Buffer): string[] {
  return readdirSync(folder)
    .filter((name) => piecesIn(readFileSync(join(folder, name)), [content]) > 0)
    .sort();
}

const REF: VersionRef = { version: 1, row: 1 };

/** The changes that remove a content, and what is left of the secret. */
const REMOVALS: readonly (readonly [name: string, Change, left: string[]])[] = [
  ["destroyed", state("destroyed", "a", [REF]), ["1 put a 1", "2 destroyed a 1"]],
  ["expired", state("expired", "a", [REF]), ["1 put a 1", "2 expired a 1"]],
  ["purged", purge("a", 1, [REF]), ["2 purge a 1"]],
  ["pruned", settings("a", { firstVersion: 2 }, [REF]), ["2 settings a"]],
];

describe("a content that was removed", () => {
  for (const size of [60, 5000, 500_000]) {
    for (const [name, removal, left] of REMOVALS) {
      // The control: the search finds the content in the log after its commit, in the database after a checkpoint, and in
      // the database after the removal, until the log is copied to it.
      it(`is in no file after it was ${name} and erased (${size} bytes)`, async () => {
        const folder = temporaryFolder();
        const db = openDatabase(join(folder, "coffer.db"), plainContent);
        const journal = new SqliteJournal(db);
        const sealed = randomBytes(size);
        const find = () => filesWith(folder, sealed);
        const added = { ...put("a", 1, [], sealed), expireTime: put("a", 1).time };
        await committed(journal, [entry(added)]);
        assert.deepEqual(find(), ["coffer.db-wal"]);
        journal.checkpoint("full");
        assert.deepEqual(find(), ["coffer.db"]);
        await committed(journal, [entry(removal)]);
        assert.deepEqual(find(), ["coffer.db"]);
        assert.equal(journal.erase(), true);
        assert.deepEqual(find(), []);
        assert.deepEqual(await summary(journal), left);
        journal.close();
        assert.deepEqual(find(), []);
      });
    }
  }

  // The log has the page of the put, and a later commit does not overwrite it.
  it("is in no file after it was destroyed in the log and erased", async () => {
    const folder = temporaryFolder();
    const journal = new SqliteJournal(openDatabase(join(folder, "coffer.db"), plainContent));
    const sealed = randomBytes(500);
    await committed(journal, entries(put("a", 1, [], sealed)));
    await committed(journal, entries(state("destroyed", "a", [REF])));
    assert.deepEqual(filesWith(folder, sealed), ["coffer.db-wal"]);
    assert.equal(journal.erase(), true);
    assert.deepEqual(filesWith(folder, sealed), []);
    assert.equal(journal.erase(), true); // nothing to do
    await committed(journal, entries(put("b", 1)));
    journal.close();
    assert.deepEqual(filesWith(folder, sealed), []);
  });

  // A process that ends after the commit and before the erasure leaves the content in the log. The next start recovers
  // the database into a new file, which does not contain the content.
  it("is in no file after a kill and a restart", () => {
    const data = temporaryFolder();
    const sealed = randomBytes(500);
    inChild(
      data,
      `const { journal } = openStore(data);
      await committed(journal, entries(put("a", 1, [], Buffer.from("${sealed.toString("hex")}", "hex"))));
      await committed(journal, entries(state("destroyed", "a", [{ version: 1, row: 1 }])));
      process.kill(process.pid, "SIGKILL");`,
    );
    const folder = join(data, "store");
    assert.deepEqual(filesWith(folder, sealed), ["coffer.db-wal"]);
    openStore(data).journal.close();
    assert.deepEqual(filesWith(folder, sealed), []);
  });

  // When SQLite moves rows between pages, it leaves copies of them, which secure_delete does not overwrite. This test makes
  // changes of rows of different sizes until the database has such a copy. The first one is from an earlier process, which
  // has ended.
  it("is in no file after SQLite has moved rows", async () => {
    const file = join(temporaryFolder(existsSync("/dev/shm") ? "/dev/shm" : undefined), "coffer.db");
    const open = () => new SqliteJournal(openDatabase(file, plainContent));
    let journal = open();
    const churn = new Churn();
    /** Makes changes until the database has a copy of a destroyed content, although the log is empty. */
    const untilCopied = async () => {
      for (let group = 0; group < 2000; group++) {
        await churn.commitGroup(journal);
        if (group % 25 !== 0) continue;
        journal.checkpoint("full");
        if (piecesIn(readFileSync(file), churn.destroyed) > 0) return;
      }
      assert.fail("SQLite has left no copy, so this test proves nothing");
    };
    await untilCopied();
    journal.close();
    journal = open();
    assert.equal(journal.erase(), true);
    assert.equal(piecesIn(readFileSync(file), churn.destroyed), 0);
    // SQLite reads the pages again, so later changes of them do not bring the copies back. Later erasures read only the
    // pages that were in the log.
    await untilCopied();
    assert.equal(journal.erase(), true);
    assert.equal(piecesIn(readFileSync(file), churn.destroyed), 0);
    assert.ok(piecesIn(readFileSync(file), churn.live) >= churn.live.length, "the search does not find live contents");
    const lines = await summary(journal);
    journal.close();
    journal = open();
    assert.deepEqual(await summary(journal), lines);
    journal.close();
  });
});

/** Puts, deletes, destroys and purges secrets of one version at random, a hundred in a group. */
class Churn {
  /** The contents of destroyed and purged versions. */
  readonly destroyed: Buffer[] = [];
  readonly #random = randomFrom(1);
  readonly #secrets: { readonly path: string; readonly sealed: Buffer; readonly ref: VersionRef }[] = [];
  #count = 0;

  /** The contents of all other versions. */
  get live(): Buffer[] {
    return this.#secrets.map(({ sealed }) => sealed);
  }

  async commitGroup(journal: SqliteJournal): Promise<void> {
    const added: { readonly path: string; readonly sealed: Buffer }[] = [];
    const removed: Change[] = [];
    for (let i = 0; i < 100; i++) {
      const choice = this.#random();
      if (choice > 0.52 && this.#secrets.length > 10) removed.push(this.#remove(choice));
      else added.push({ path: `a/${this.#count++}`, sealed: randomBytes(60 + Math.floor(this.#random() * 400)) });
    }
    const puts = added.map(({ path, sealed }) => put(path, 1, [], sealed));
    const rows = await committed(journal, [...entries(...puts), ...entries(...removed)]);
    for (const [i, one] of added.entries()) this.#secrets.push({ ...one, ref: { version: 1, row: rows[i] } });
  }

  #remove(choice: number): Change {
    const at = Math.floor(this.#random() * this.#secrets.length);
    const { path, ref, sealed } = this.#secrets[at]!;
    if (choice < 0.82) return deletion(path, [ref]);
    this.#secrets.splice(at, 1);
    this.destroyed.push(sealed);
    return choice < 0.91 ? purge(path, 1, [ref]) : state("destroyed", path, [ref]);
  }
}

describe("an erasure that fails", () => {
  // A full disk can prevent the copy from the log to the database. The journal reports it, and continues.
  it("because the disk is full can be repeated", {
    skip: process.geteuid?.() !== 0 && "needs root to mount",
  }, (t) => {
    const data = temporaryFolder();
    const mount = `mount -t tmpfs -o size=1m tmpfs '${data}' && exec "$@"`;
    const script = `import { readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
      const { journal } = openStore(data);
      const sealed = Buffer.alloc(60, "secret");
      const has = () => readdirSync(data + "/store").some((name) => readFileSync(data + "/store/" + name).includes(sealed));
      await committed(journal, entries(put("a", 1, [], sealed), put("b", 1, [], Buffer.alloc(100000, 1))));
      await committed(journal, entries(state("destroyed", "a", [{ version: 1, row: 1 }])));
      try { for (let n = 0; ; n++) writeFileSync(data + "/fill", Buffer.alloc(4096), { flag: "a" }); } catch (error) { console.log(error.code); }
      console.log(journal.erase(), has());
      console.log((await journal.commit(entries(put("c", 1)), 2)).kind);
      rmSync(data + "/fill");
      console.log((await journal.commit(entries(put("c", 1)), 2)).kind);
      console.log(journal.erase(), has());
      console.log((await loaded(journal)).length);
      process.kill(process.pid, "SIGKILL");`;
    const { stdout, stderr } = inChild(
      data,
      script,
      `exec unshare -m sh -c "$MOUNT" sh "$@"`.replace("$MOUNT", mount.replaceAll(/["$]/g, "\\$&")),
    );
    if (/unshare|mount/.test(stderr)) return t.skip("this machine does not allow mounts");
    assert.equal(stdout, "ENOSPC\nfalse true\nrejected\ncommitted\ntrue false\n4\n", stderr);
  });

  // After an I/O error, the content of the disk is unknown, so the journal writes nothing more.
  it("with an I/O error throws, and ends the journal", () => {
    const script = `const { journal } = openStore(data);
      let failure = "none";
      for (let version = 1; version <= 20 && failure === "none"; version++) {
        await committed(journal, entries(put("a", version, [], Buffer.alloc(100_000))));
        try { journal.erase(); } catch (error) { failure = error.code; }
      }
      let again = "none";
      try { journal.erase(); } catch (error) { again = error.code; }
      console.log(failure, again, (await journal.commit(entries(put("b", 1)), 0)).kind);
      process.kill(process.pid, "SIGKILL");`;
    assert.equal(inChild(temporaryFolder(), script, 'exec "$@"').stdout, "none none committed\n");
    const { stdout } = inChild(temporaryFolder(), script, 'ulimit -f 512 && exec "$@"');
    assert.match(stdout, /^(SQLITE_IOERR\w*) \1 unknown\n$/);
  });
});

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import Database from "better-sqlite3";
import { openStoreFile, type StoreFile } from "../../../src/persistence/store-file.ts";
import { versionContext } from "../../../src/sealing/context.ts";
import { SealBroken } from "../../../src/sealing/sealer.ts";
import {
  committed,
  entries,
  inChild,
  loaded,
  openStore,
  putSealed,
  refusalKind,
  refusalOf,
  rootKey,
  temporaryFolder,
} from "../../support/persistence-kit.ts";
import { copyAsIs } from "../../support/copy-folder.ts";

/** The decrypted content of each stored version, or why it can't be decrypted. */
async function contents(store: StoreFile): Promise<string[]> {
  const changes = (await loaded(store.journal)).flatMap((entry) => entry.changes);
  return changes.flatMap((change) => {
    if (change.kind !== "put") return [];
    try {
      return [store.sealer.open(change.sealed, versionContext(change.path, change.version)).toString()];
    } catch (error) {
      return [error instanceof SealBroken ? error.failure : String(error)];
    }
  });
}

/** A closed store with two secrets of two versions each. */
async function filledFolder(): Promise<string> {
  const data = temporaryFolder();
  const store = openStore(data);
  const puts = ["a", "b"].flatMap((path) =>
    [1, 2].map((version) => putSealed(store, path, version, `${path}${version}`)),
  );
  await committed(store.journal, entries(...puts));
  store.journal.close();
  store.sealer.close();
  return data;
}

function tamper(data: string, sql: string): void {
  const db = new Database(join(data, "store", "coffer.db"));
  db.exec(sql);
  db.close();
}

async function contentsIn(data: string): Promise<string[]> {
  const store = openStore(data);
  try {
    return await contents(store);
  } finally {
    store.journal.close();
  }
}

describe("a store on disk", () => {
  // Contents survive a restart, with the same store id. Only the first opening creates the store.
  it("opens again with its root key", async () => {
    const data = temporaryFolder();
    const first = openStore(data);
    assert.equal(first.created, true);
    await committed(first.journal, entries(putSealed(first, "a", 1, "value")));
    first.journal.close();
    const second = openStore(data);
    assert.equal(second.created, false);
    assert.deepEqual(second.storeId, first.storeId);
    assert.deepEqual(await contents(second), ["value"]);
    second.journal.close();
  });

  // The root key is wiped whether or not the store opened.
  it("wipes the root key", () => {
    const [right, wrong] = [rootKey(), rootKey(6)];
    const data = temporaryFolder();
    openStore(data, right).journal.close();
    assert.throws(() => right.bytes, /wiped/);
    assert.equal(
      refusalKind(() => openStore(data, wrong)),
      "wrong root key",
    );
    assert.throws(() => wrong.bytes, /wiped/);
  });

  // A start with a wrong root key changes nothing: it makes no new data key, and the right root key still opens all
  // contents.
  it("refuses another root key without a change", async () => {
    const data = await filledFolder();
    const refused = refusalOf(() => openStore(data, rootKey(6)));
    assert.equal(refused?.refusal, "wrong root key");
    assert.match(refused?.message ?? "", /^wrong root key: the store in .*coffer\.db was created with another key/);
    assert.deepEqual(await contentsIn(data), ["a1", "a2", "b1", "b2"]);
  });

  // An existing store never gets a new data key, because all contents under the old one would be lost.
  it("is refused if its data key or its identity is missing", async () => {
    for (const loss of ["DELETE FROM data_keys", "DELETE FROM identity"]) {
      const data = await filledFolder();
      tamper(data, loss);
      assert.equal(
        refusalKind(() => openStore(data)),
        "damaged",
      );
      assert.equal(
        refusalKind(() => openStore(data)),
        "damaged",
      );
    }
  });

  // A damaged data key is not reported as a wrong root key.
  it("distinguishes a damaged data key from a wrong root key", async () => {
    for (const damage of [
      "UPDATE data_keys SET wrapped = CAST(substr(wrapped, 1, 40) || zeroblob(length(wrapped) - 40) AS BLOB)",
      "UPDATE data_keys SET wrapped = zeroblob(3)",
      "UPDATE data_keys SET key_id = 2",
      "UPDATE identity SET store_id = zeroblob(16)",
    ]) {
      const data = await filledFolder();
      tamper(data, damage);
      assert.equal(
        refusalKind(() => openStore(data)),
        "damaged",
        damage,
      );
    }
  });

  // An attacker who can write the file can't give a secret the content of another secret, or a version that of another
  // version.
  it("does not decrypt content that was moved to another row", async () => {
    const swap = (column: string, first: number, second: number) => `
      CREATE TEMP TABLE old AS SELECT * FROM versions;
      UPDATE versions SET ${column} = (SELECT old.${column} FROM old WHERE old.row_number = ${first + second} - versions.row_number)
       WHERE row_number IN (${first}, ${second})`;
    const broken = "not authentic";
    const cases: [string, string[]][] = [
      [swap("sealed", 1, 3), [broken, "a2", broken, "b2"]],
      [swap("sealed", 1, 2), [broken, broken, "b1", "b2"]],
      [swap("created_by", 1, 3), ["a1", "a2", "b1", "b2"]],
    ];
    for (const [sql, expected] of cases) {
      const data = await filledFolder();
      tamper(data, sql);
      assert.deepEqual(await contentsIn(data), expected, sql);
    }
  });

  // The start detects rows with exchanged paths or versions, because the versions of a secret are consecutive.
  it("is refused when rows were exchanged", async () => {
    const swap = (column: string, first: number, second: number) => `
      CREATE TEMP TABLE old AS SELECT * FROM versions;
      UPDATE versions SET ${column} = (SELECT old.${column} FROM old WHERE old.row_number = ${first + second} - versions.row_number)
       WHERE row_number IN (${first}, ${second})`;
    for (const sql of [swap("path", 1, 3), swap("version", 1, 2)]) {
      const data = await filledFolder();
      tamper(data, sql);
      await assert.rejects(contentsIn(data), { name: "StoreRefused", refusal: "damaged" }, sql);
    }
  });

  // Even another store with the same root key can't decrypt the content.
  it("does not decrypt content of another store", async () => {
    const [from, to] = [await filledFolder(), await filledFolder()];
    tamper(
      to,
      `ATTACH '${join(from, "store", "coffer.db")}' AS other;
      UPDATE versions SET sealed = (SELECT sealed FROM other.versions AS o WHERE o.row_number = versions.row_number)
       WHERE row_number = 1`,
    );
    assert.deepEqual(await contentsIn(to), ["not authentic", "a2", "b1", "b2"]);
  });

  // A backup is a complete copy of the folder of a stopped server. The root key is stored elsewhere.
  it("opens from a copy of its folder", async () => {
    const data = await filledFolder();
    const copy = join(temporaryFolder(), "copy");
    copyAsIs(data, copy);
    assert.deepEqual(await contentsIn(copy), ["a1", "a2", "b1", "b2"]);
  });

  // Neither the database nor its log contains a value in plain text, before and after a checkpoint. The paths, which
  // are stored in plain text, show that the search works.
  it("contains no value in plain text", () => {
    const data = temporaryFolder();
    const canary = "canary-5ea1ed";
    const { stdout } = inChild(
      data,
      `const store = openStore(data);
      await committed(store.journal, entries(putSealed(store, "path-folded", 1, "${canary}")));
      store.journal.checkpoint("full");
      await committed(store.journal, entries(putSealed(store, "path-in-log", 1, "${canary}".repeat(5000))));
      console.log("done");
      process.kill(process.pid, "SIGKILL");`,
    );
    assert.equal(stdout, "done\n");
    const files = readdirSync(data, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    const bytes = Object.fromEntries(files.map(({ name }) => [name, readFileSync(join(data, "store", name))]));
    assert.deepEqual(Object.keys(bytes).sort(), ["coffer.db", "coffer.db-wal"]);
    assert.ok(bytes["coffer.db"]?.includes("path-folded"));
    assert.ok(bytes["coffer.db-wal"]?.includes("path-in-log"));
    for (const [name, content] of Object.entries(bytes)) {
      for (const encoding of ["utf8", "base64", "hex"] as const) {
        assert.equal(content.includes(Buffer.from(canary).toString(encoding)), false, `${name} ${encoding}`);
      }
    }
  });

  // The data key consists of random bytes. It is not the root key and not derived from it.
  it("makes a random data key", () => {
    const made: Buffer[] = [];
    const random = (target: Buffer) => {
      target.fill(made.length + 1);
      made.push(Buffer.from(target));
    };
    const store = openStoreFile({ data: temporaryFolder(), rootKey: rootKey(), random, fileSystemType: () => 0xef53 });
    assert.deepEqual(
      made.map(({ length }) => length),
      [16, 32, 24, 16],
    );
    assert.deepEqual(store.storeId, Buffer.alloc(16, 1));
    store.journal.close();
  });
});

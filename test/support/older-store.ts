import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { versionContext } from "../../src/sealing/context.ts";
import { wrapDataKey } from "../../src/sealing/data-key.ts";
import { SecretKey } from "../../src/sealing/secret-key.ts";
import { XChaChaSealer } from "../../src/sealing/xchacha-sealer.ts";
import { copyAsIs } from "./copy-folder.ts";

/** The first schema, as commit 50e62ba created it. Never edited: it represents existing stores. */
const FIRST_SCHEMA = `
  CREATE TABLE identity (
     only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
     store_id BLOB NOT NULL CHECK (length(store_id) = 16)
   ) STRICT;
   CREATE TABLE data_keys (
     key_id INTEGER PRIMARY KEY,
     wrapped BLOB NOT NULL
   ) STRICT;
   CREATE TABLE versions (
     revision INTEGER PRIMARY KEY,
     path TEXT NOT NULL,
     version INTEGER NOT NULL,
     create_time INTEGER NOT NULL,
     created_by TEXT NOT NULL,
     sealed BLOB NOT NULL,
     delete_revision INTEGER,
     delete_time INTEGER,
     deleted_by TEXT
   ) STRICT;
   CREATE INDEX versions_deleted ON versions (delete_revision) WHERE delete_revision IS NOT NULL;`;

/** What the second schema added, as the release before this one created it. Never edited either. */
const SECOND_STEP = `
  CREATE TABLE log_mark (
     only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
     store_id BLOB NOT NULL CHECK (length(store_id) = 16),
     number BLOB NOT NULL CHECK (length(number) = 8)
   ) STRICT;`;

/** The content of an older store. */
export interface OlderStore {
  /** The data folder, which is created. */
  readonly data: string;
  readonly rootKey: SecretKey;
  readonly storeId: Buffer;
  /** Values by path: those in the database, and those only in its log. An empty log means a graceful shutdown. */
  readonly folded: Readonly<Record<string, string>>;
  readonly logged: Readonly<Record<string, string>>;
  /** The paths whose version is deleted, in commits of their own, after all puts. */
  readonly deleted?: readonly string[];
  /** The number of the schema: 1 by default, the one of commit 50e62ba. */
  readonly schema?: 1 | 2;
}

/** Creates the files of a store as a server of an older release leaves them, after a shutdown or a kill. */
export function makeOlderStore({ data, rootKey, storeId, folded, logged, ...rest }: OlderStore): void {
  const { deleted = [], schema = 1 } = rest;
  const work = `${data}.making`;
  mkdirSync(join(work, "store"), { recursive: true, mode: 0o700 });
  const file = join(work, "store", "coffer.db");
  writeFileSync(file, "", { mode: 0o600 }); // SQLite gives its log the same mode
  const db = new Database(file);
  db.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0");
  const key = SecretKey.take(Buffer.alloc(32, 9));
  const { wrapped } = wrapDataKey(key, 1, rootKey, storeId);
  const steps = schema === 1 ? FIRST_SCHEMA : FIRST_SCHEMA + SECOND_STEP;
  db.exec(`BEGIN; ${steps} PRAGMA user_version = ${schema}; PRAGMA application_id = ${0x434f4652}; COMMIT`);
  db.prepare("INSERT INTO identity (only_row, store_id) VALUES (1, ?)").run(storeId);
  db.prepare("INSERT INTO data_keys (key_id, wrapped) VALUES (1, ?)").run(wrapped);
  if (schema === 2) db.prepare("INSERT INTO log_mark VALUES (1, ?, zeroblob(8))").run(storeId);
  const sealer = new XChaChaSealer({ key, keyId: 1, storeId });
  const insert = db.prepare(
    "INSERT INTO versions (path, version, create_time, created_by, sealed) VALUES (?, 1, 1700000000000, 'spiffe://example.org/test', ?)",
  );
  let commits = 0n;
  const commit = (change: () => void) => {
    db.exec("BEGIN");
    change();
    const number = Buffer.alloc(8);
    number.writeBigUInt64BE(++commits);
    if (schema === 2) db.prepare("UPDATE log_mark SET number = ?").run(number);
    db.exec("COMMIT");
  };
  const write = (values: Readonly<Record<string, string>>) => {
    for (const [path, value] of Object.entries(values)) {
      commit(() => insert.run(path, sealer.seal(Buffer.from(value), versionContext(path, 1))));
    }
  };
  const remove = db.prepare(
    "UPDATE versions SET delete_revision = ?, delete_time = 1700000000001, deleted_by = 'spiffe://example.org/test' WHERE path = ?",
  );
  write(folded);
  db.pragma("wal_checkpoint(TRUNCATE)");
  write(logged);
  const puts = Object.keys({ ...folded, ...logged }).length;
  for (const [i, path] of deleted.entries()) commit(() => remove.run(puts + 1 + i, path));
  if (Object.keys(logged).length === 0) db.pragma("wal_checkpoint(TRUNCATE)");
  // While the database is open, a copy of its files is in the state that a kill leaves.
  if (Object.keys(logged).length > 0) copyAsIs(work, data);
  db.close();
  if (Object.keys(logged).length === 0) copyAsIs(work, data);
}

import Database from "better-sqlite3";
import { writeFirstMark } from "./log-mark.ts";
import { StoreRefused } from "./store-refused.ts";

/** What marks a SQLite file as Coffer's: "COFR". */
export const APPLICATION_ID = 0x434f4652;

/**
 * The schema, as the steps that lead to it; a file's user_version counts the steps that it has taken. A step that was
 * released is never edited: what comes next is a new one.
 *
 * versions: one row a version, keyed by the revision that created it, so that a commit appends to the end of the tree
 * and writes few pages. There is no index on the path: memory answers every question by path, and an index would
 * double the time of a commit. A row is marked as deleted by the revision, the time and the author of the deletion.
 * Times are milliseconds since the epoch.
 *
 * log_mark: what binds a log to the database (log-mark.ts).
 */
const STEPS: readonly string[] = [
  `CREATE TABLE identity (
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
   CREATE INDEX versions_deleted ON versions (delete_revision) WHERE delete_revision IS NOT NULL;`,
  `CREATE TABLE log_mark (
     only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
     store_id BLOB NOT NULL CHECK (length(store_id) = 16),
     number BLOB NOT NULL CHECK (length(number) = 8)
   ) STRICT;`,
];

/** Makes the tables of this release. `create` writes the first rows of the new store, in the same transaction. */
export function createSchema(db: Database.Database, create: () => void): void {
  db.transaction(() => {
    takeSteps(db, 0);
    create();
    writeFirstMark(db);
  }).immediate();
}

/**
 * Whether the tables are those of an older release, all of which this one reads. They become this release's with the
 * first change, by {@link upgrade}: a start writes nothing, so that a full disk does not keep a store from being read.
 */
export function isOlder(db: Database.Database): boolean {
  return numberOf(db, "user_version") < STEPS.length;
}

/** Brings the tables of an older release up to this release's. Part of a transaction. */
export function upgrade(db: Database.Database): void {
  takeSteps(db, numberOf(db, "user_version"));
  writeFirstMark(db);
}

/**
 * Checks that a database is a store that this release can read, and writes nothing. Throws {@link StoreRefused}: "not a
 * store" for a file of another program, "newer schema" for one that a newer release wrote, "damaged" for one whose tables
 * are not those that the steps make.
 */
export function checkSchema(db: Database.Database, file: string): void {
  const applicationId = numberOf(db, "application_id");
  if (applicationId !== APPLICATION_ID) {
    throw new StoreRefused("not a store", `${file} belongs to another program (application_id ${applicationId})`);
  }
  const version = numberOf(db, "user_version");
  if (version > STEPS.length) {
    const message = `${file} was written by a newer release of Coffer: its schema is ${version}`;
    throw new StoreRefused("newer schema", `${message}, this release knows up to ${STEPS.length}; upgrade Coffer`);
  }
  checkTables(db, version, file);
}

function takeSteps(db: Database.Database, from: number, to = STEPS.length): void {
  for (const step of STEPS.slice(from, to)) db.exec(step);
  db.pragma(`user_version = ${to}`);
  db.pragma(`application_id = ${APPLICATION_ID}`);
}

/** A trigger that somebody planted could drop rows at every commit, and SQLite would call the file sound. */
function checkTables(db: Database.Database, version: number, file: string): void {
  const expected = new Database(":memory:");
  takeSteps(expected, 0, version);
  const same = JSON.stringify(schemaOf(db)) === JSON.stringify(schemaOf(expected));
  expected.close();
  if (!same) throw new StoreRefused("damaged", `the tables of ${file} are not those that Coffer makes`);
}

function schemaOf(db: Database.Database): unknown[] {
  return db.prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name").all();
}

function numberOf(db: Database.Database, pragma: string): number {
  return db.pragma(pragma, { simple: true }) as number;
}

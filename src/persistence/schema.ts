import Database from "better-sqlite3";
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
];

/**
 * Brings a database up to this release's schema, in one transaction. A new one gets its first rows from `create` in
 * the same transaction, so that there is never a store without them. Throws {@link StoreRefused}: "not a store" for a
 * file of another program, "newer schema" for one that a newer release wrote, "damaged" for one whose tables are not
 * those that the steps make.
 */
export function migrate(db: Database.Database, create: () => void): void {
  const isNew = checkOrigin(db);
  const version = numberOf(db, "user_version");
  if (version > STEPS.length) {
    const message = `${db.name} was written by a newer release of Coffer: its schema is ${version}`;
    throw new StoreRefused("newer schema", `${message}, this release knows up to ${STEPS.length}; upgrade Coffer`);
  }
  if (isNew || version < STEPS.length) {
    db.transaction(() => {
      takeSteps(db, version);
      if (isNew) create();
    }).immediate();
  }
  checkSchema(db);
}

/** Whether the database is new. */
function checkOrigin(db: Database.Database): boolean {
  const applicationId = numberOf(db, "application_id");
  if (applicationId === APPLICATION_ID) return false;
  if (applicationId === 0 && schemaOf(db).length === 0) return true;
  throw new StoreRefused("not a store", `${db.name} belongs to another program (application_id ${applicationId})`);
}

function takeSteps(db: Database.Database, version: number): void {
  for (const step of STEPS.slice(version)) db.exec(step);
  db.pragma(`user_version = ${STEPS.length}`);
  db.pragma(`application_id = ${APPLICATION_ID}`);
}

/** A trigger that somebody planted could drop rows at every commit, and SQLite would call the file sound. */
function checkSchema(db: Database.Database): void {
  const expected = new Database(":memory:");
  takeSteps(expected, 0);
  const same = JSON.stringify(schemaOf(db)) === JSON.stringify(schemaOf(expected));
  expected.close();
  if (!same) throw new StoreRefused("damaged", `the tables of ${db.name} are not those that Coffer makes`);
}

function schemaOf(db: Database.Database): unknown[] {
  return db.prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name").all();
}

function numberOf(db: Database.Database, pragma: string): number {
  return db.pragma(pragma, { simple: true }) as number;
}

import Database from "better-sqlite3";
import { writeFirstMark } from "./log-mark.ts";
import { StoreRefused } from "./store-refused.ts";

/** The application_id of Coffer's databases: "COFR". */
export const APPLICATION_ID = 0x434f4652;

/**
 * The steps that create the schema. The user_version of a file is the number of steps that were applied to it. A
 * released step is never edited; a change is a new step at the end.
 *
 * versions: one row for each version, keyed by the revision that created it. So a commit appends to the end of the tree
 * and writes few pages. There is no index on the path: all lookups by path use memory, and an index would double the
 * time of a commit. The revision, the time and the author of a deletion mark a row as deleted. Times are milliseconds
 * since the epoch.
 *
 * log_mark: binds a log to the database (log-mark.ts).
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

/** Creates the tables of this release. `create` writes the first rows of the new store in the same transaction. */
export function createSchema(db: Database.Database, create: () => void): void {
  db.transaction(() => {
    takeSteps(db, 0);
    create();
    writeFirstMark(db);
  }).immediate();
}

/**
 * Whether the tables are those of an older release. This release reads the tables of all older ones. The first change
 * migrates them with {@link upgrade}. The start does not, so that it writes nothing and works on a full disk.
 */
export function isOlder(db: Database.Database): boolean {
  return numberOf(db, "user_version") < STEPS.length;
}

/** Migrates the tables of an older release to this release's. Call it within a transaction. */
export function upgrade(db: Database.Database): void {
  takeSteps(db, numberOf(db, "user_version"));
  writeFirstMark(db);
}

/**
 * Checks without writing that a database is a store that this release can read. Throws {@link StoreRefused}: "not a
 * store" for a file of another program, "newer schema" for a file that a newer release wrote, and "damaged" if the
 * tables differ from those of the steps.
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

/**
 * Compares the tables. A trigger that an attacker added could delete rows at every commit, and SQLite would not report
 * damage.
 */
function checkTables(db: Database.Database, version: number, file: string): void {
  const expected = new Database(":memory:");
  takeSteps(expected, 0, version);
  const same = JSON.stringify(schemaOf(db)) === JSON.stringify(schemaOf(expected));
  expected.close();
  if (!same) throw new StoreRefused("damaged", `the tables of ${file} are not those that Coffer creates`);
}

function schemaOf(db: Database.Database): unknown[] {
  return db.prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name").all();
}

function numberOf(db: Database.Database, pragma: string): number {
  return db.pragma(pragma, { simple: true }) as number;
}

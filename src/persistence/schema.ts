import Database from "better-sqlite3";
import { writeFirstMark } from "./log-mark.ts";
import { StoreRefused } from "./store-refused.ts";

/** The application_id of Coffer's databases: "COFR". */
export const APPLICATION_ID = 0x434f4652;

/**
 * The steps that create the schema. The user_version of a file is the number of steps that were applied to it. A
 * released step is never edited; a change is a new step at the end. No step rewrites rows, so that a migration takes
 * little space and time. Times are milliseconds since the epoch.
 *
 * versions: one row for each retained version, in the order in which they were put. So a commit appends to the end of the
 * tree and writes few pages. There is no index on the path: all lookups by path use memory, and an index would double the
 * time of a commit. The revision of a version is row_number + rows_before: an entry with several puts has a row for each,
 * and its revision is the number of the last one. The columns state, state_revision, state_time and state_by are from the
 * last change of the version's state; the last three are null if there was none. Older releases set only the state
 * "deleted", which is therefore the default of the column. The index versions_deleted has all rows with a
 * state_revision. It has the name that an older release gave it, because SQLite can't rename an index, and a new one
 * would be built from all rows.
 *
 * settings, tombstones: one row for each secret whose settings were changed, and for each purged one.
 *
 * requests: the answered requests that have a request_id. An entry has at most one.
 *
 * last_forgetting: the revision of the last entry that removed tombstones or requests. It is possible that no other row
 * has this revision. Without this row, a restart would then assign the revision again.
 *
 * log_mark: binds a log to the database (log-mark.ts).
 *
 * timelines: one row for each run of the server that has committed, with the first revision that was free for it. The
 * oldest ones are removed (timeline-rows.ts).
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
  `ALTER TABLE versions RENAME COLUMN revision TO row_number;
   ALTER TABLE versions RENAME COLUMN delete_revision TO state_revision;
   ALTER TABLE versions RENAME COLUMN delete_time TO state_time;
   ALTER TABLE versions RENAME COLUMN deleted_by TO state_by;
   ALTER TABLE versions ADD COLUMN state INTEGER NOT NULL DEFAULT 1;
   ALTER TABLE versions ADD COLUMN rows_before INTEGER NOT NULL DEFAULT 0;
   ALTER TABLE versions ADD COLUMN expire_time INTEGER;
   CREATE TABLE settings (
     path TEXT PRIMARY KEY,
     revision INTEGER NOT NULL,
     time INTEGER NOT NULL,
     author TEXT NOT NULL,
     max_versions INTEGER NOT NULL,
     labels TEXT NOT NULL,
     description TEXT NOT NULL,
     default_ttl INTEGER,
     cas_required INTEGER NOT NULL CHECK (cas_required IN (0, 1)),
     first_version INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX settings_order ON settings (revision);
   CREATE TABLE tombstones (
     path TEXT PRIMARY KEY,
     revision INTEGER NOT NULL,
     time INTEGER NOT NULL,
     author TEXT NOT NULL,
     last_version INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX tombstones_order ON tombstones (revision);
   CREATE TABLE requests (
     revision INTEGER PRIMARY KEY,
     time INTEGER NOT NULL,
     caller TEXT NOT NULL,
     id BLOB NOT NULL CHECK (length(id) = 16),
     digest BLOB NOT NULL CHECK (length(digest) = 32),
     results TEXT NOT NULL,
     answer_revision INTEGER
   ) STRICT;
   CREATE TABLE last_forgetting (
     only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
     revision INTEGER NOT NULL
   ) STRICT;`,
  `CREATE TABLE timelines (
     first_revision INTEGER PRIMARY KEY CHECK (first_revision >= 0),
     timeline_id BLOB NOT NULL CHECK (length(timeline_id) = 16)
   ) STRICT;`,
];

/** The number of steps after which a store has timelines. */
const TIMELINES_STEP = 4;

/** The number of steps after which a store has the tables of the life of a secret: states, settings, requests. */
const STATES_STEP = 3;

/** The number of steps after which a store has a mark. */
const MARK_STEP = 2;

/** Creates the tables of this release. `create` writes the first rows of the new store in the same transaction. */
export function createSchema(db: Database.Database, create: () => void): void {
  db.transaction(() => {
    takeSteps(db, 0);
    create();
    writeFirstMark(db);
    writeFirstTimeline(db);
  }).immediate();
}

/**
 * Whether the tables are those of an older release. This release reads the tables of all older ones. The first change
 * migrates them with {@link upgrade}. The start does not, so that it writes nothing and works on a full disk.
 */
export function isOlder(db: Database.Database): boolean {
  return numberOf(db, "user_version") < STEPS.length;
}

/** Whether a version can have no other state than live and deleted, because an older release created the tables. */
export function hasDeletionsOnly(db: Database.Database): boolean {
  return numberOf(db, "user_version") < STATES_STEP;
}

/** Whether the database has the table of timelines. */
export function hasTimelines(db: Database.Database): boolean {
  return numberOf(db, "user_version") >= TIMELINES_STEP;
}

/** Migrates the tables of an older release to this release's. Call it within a transaction. */
export function upgrade(db: Database.Database): void {
  const version = numberOf(db, "user_version");
  takeSteps(db, version);
  if (version < MARK_STEP) writeFirstMark(db);
  if (version < TIMELINES_STEP) writeFirstTimeline(db);
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

/** Writes the timeline of the revisions before the first one of a run. Its id is that of the store. */
function writeFirstTimeline(db: Database.Database): void {
  db.exec("INSERT INTO timelines (first_revision, timeline_id) SELECT 0, store_id FROM identity");
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

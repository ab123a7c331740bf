import type Database from "better-sqlite3";
import type { Revision } from "../store/revision.ts";
import { RowCursor } from "./row-cursor.ts";
import { hasDeletionsOnly } from "./schema.ts";
import type { PutRow, RequestRow, RowState, SettingsRow, StateRow, TombstoneRow } from "./stored-row.ts";

/** The number of rows to read at a time, which takes a few milliseconds. */
export const PAGE_ROWS = 4096;

/** The columns of the table `versions`, with the names that an older release gave them. */
const NAMES = { row: "row_number", state: "state_revision", time: "state_time", by: "state_by", code: "state" };
const OLDER_NAMES = { row: "revision", state: "delete_revision", time: "delete_time", by: "deleted_by", code: "1" };

/**
 * A cursor for each table of a database, in the order of the changes of one entry: settings come before the first version
 * of a secret that was purged, and the state of a version comes after its put.
 */
export function cursorsOf(db: Database.Database): readonly RowCursor[] {
  if (hasDeletionsOnly(db)) return [puts(db, OLDER_NAMES), states(db, OLDER_NAMES)] as readonly RowCursor[];
  const cursors = [settings(db), tombstones(db), puts(db, NAMES), states(db, NAMES), requests(db)];
  return cursors as readonly unknown[] as readonly RowCursor[];
}

/** The numbers of settings and tombstones, counted in the tables and not in their indexes. */
export function countSecrets(db: Database.Database): { readonly settings: number; readonly tombstones: number } {
  if (hasDeletionsOnly(db)) return { settings: 0, tombstones: 0 };
  const count = (table: string) =>
    db.prepare<[], number>(`SELECT count(*) FROM ${table} NOT INDEXED`).pluck().get() ?? 0;
  return { settings: count("settings"), tombstones: count("tombstones") };
}

/** The revision of the last entry that removed tombstones or requests; 0 if there is none. */
export function lastForgetting(db: Database.Database): Revision {
  if (hasDeletionsOnly(db)) return 0;
  return db.prepare<[], Revision>("SELECT revision FROM last_forgetting").pluck().get() ?? 0;
}

/** The last revision of the store; 0 if it is empty. */
export function lastRevision(db: Database.Database): Revision {
  const revisions = hasDeletionsOnly(db)
    ? ["max(revision) FROM versions", "max(delete_revision) FROM versions WHERE delete_revision IS NOT NULL"]
    : [
        "row_number + rows_before FROM versions ORDER BY row_number DESC LIMIT 1",
        "max(state_revision) FROM versions WHERE state_revision IS NOT NULL",
        "max(revision) FROM settings",
        "max(revision) FROM tombstones",
        "max(revision) FROM requests",
        "revision FROM last_forgetting",
      ];
  // One query for each: SQLite uses an index for max() only in a query with no other expression. Otherwise it reads all rows.
  const last = (query: string) => db.prepare<[], Revision | null>(`SELECT ${query}`).pluck().get() ?? 0;
  return Math.max(...revisions.map(last));
}

type PutCells = [
  row: number,
  rowsBefore: number,
  path: string,
  version: number,
  time: number,
  author: string,
  sealed: Buffer,
  expireTime: number | null,
  code: number,
  stateRevision: number | null,
  stateTime: number | null,
  stateBy: string | null,
];

function puts(db: Database.Database, names: typeof NAMES): RowCursor<PutRow> {
  const { row, state, time, by, code } = names;
  const added = names === NAMES ? "rows_before, expire_time" : "0 AS rows_before, NULL AS expire_time";
  const page = db.prepare<[number], PutCells>(
    `SELECT row, rows_before, path, version, create_time, created_by, sealed, expire_time, code, state, time, by FROM (
       SELECT ${row} AS row, path, version, create_time, created_by, sealed, ${added}, ${code} AS code,
         ${state} AS state, ${time} AS time, ${by} AS by FROM versions)
       WHERE row > ? ORDER BY row LIMIT ${PAGE_ROWS}`,
  );
  page.raw();
  return new RowCursor((last) => page.all(last?.row ?? 0).map(putRow));
}

function putRow(cells: PutCells): PutRow {
  const [row, rowsBefore, path, version, time, author, sealed, expireTime, ...state] = cells;
  const at = row + rowsBefore;
  return { kind: "put", at, row, path, version, time, author, sealed, expireTime, state: rowState(state) };
}

function rowState([code, revision, time, by]: [number, number | null, number | null, string | null]):
  | RowState
  | undefined {
  const isUnchanged = code === 1 && revision === null && time === null && by === null;
  return isUnchanged ? undefined : { code, revision, time, by };
}

type StateCells = [at: number, row: number, path: string, version: number, time: number, author: string, code: number];

function states(db: Database.Database, { row, state, time, by, code }: typeof NAMES): RowCursor<StateRow> {
  const page = db.prepare<[number, number], StateCells>(
    `SELECT ${state}, ${row}, path, version, ifnull(${time}, 0), ifnull(${by}, ''), ${code}
       FROM versions INDEXED BY versions_deleted
       WHERE ${state} IS NOT NULL AND (${state}, ${row}) > (?, ?) ORDER BY ${state}, ${row} LIMIT ${PAGE_ROWS}`,
  );
  page.raw();
  const stateRow = ([at, number, path, version, changed, author, kind]: StateCells): StateRow => ({
    kind: "state",
    at,
    row: number,
    path,
    version,
    time: changed,
    author,
    code: kind,
  });
  return new RowCursor((last) => page.all(last?.at ?? 0, last?.row ?? 0).map(stateRow));
}

function settings(db: Database.Database): RowCursor<SettingsRow> {
  return byIndex(
    db,
    "settings",
    `revision AS inTable, path, time, author, max_versions AS maxVersions, labels, description,
      default_ttl AS defaultTtl, cas_required AS casRequired, first_version AS firstVersion`,
  );
}

function tombstones(db: Database.Database): RowCursor<TombstoneRow> {
  return byIndex(db, "tombstones", "revision AS inTable, path, time, author, last_version AS lastVersion");
}

/** Finds rows by the index on the revision, and reads each from the table, so that a load can compare the two. */
function byIndex<Row extends SettingsRow | TombstoneRow>(
  db: Database.Database,
  table: "settings" | "tombstones",
  columns: string,
): RowCursor<Row> {
  const index = db.prepare<[number, string], { at: Revision; path: string }>(
    `SELECT revision AS at, path FROM ${table} INDEXED BY ${table}_order
       WHERE (revision, path) > (?, ?) ORDER BY revision, path LIMIT ${PAGE_ROWS}`,
  );
  const kind = table === "settings" ? "settings" : "tombstone";
  const row = db.prepare<[string], Row>(`SELECT '${kind}' AS kind, ${columns} FROM ${table} WHERE path = ?`);
  return new RowCursor((last) =>
    index.all(last?.at ?? 0, last?.path ?? "").map(({ at, path }) => ({ ...(row.get(path) as Row), at })),
  );
}

function requests(db: Database.Database): RowCursor<RequestRow> {
  const page = db.prepare<[number], RequestRow>(
    `SELECT 'request' AS kind, revision AS at, time, caller AS author, id, digest, results,
       answer_revision AS answerRevision FROM requests WHERE revision > ? ORDER BY revision LIMIT ${PAGE_ROWS}`,
  );
  return new RowCursor((last) => page.all(last?.at ?? 0));
}

import type Database from "better-sqlite3";
import type { Change } from "../store/change.ts";
import type { Revision } from "../store/journal.ts";

/**
 * Selects the row of one version within a range of revisions. If an earlier entry of the same group creates the
 * version, the store does not know its revision, and the range is the few rows of the group. Path and version are
 * compared even if the revision is exact, so that a bug in the store causes an error and not a lost secret.
 */
const THE_VERSION = "revision BETWEEN ? AND ? AND path = ? AND version = ?";

/**
 * Two subqueries, because SQLite uses an index for max() only if it is alone in a query. Otherwise it reads all rows.
 */
const LAST_REVISION = `SELECT max(
  ifnull((SELECT max(revision) FROM versions), 0),
  ifnull((SELECT max(delete_revision) FROM versions WHERE delete_revision IS NOT NULL), 0))`;

/** Writes changes to the table `versions`. Call {@link apply} within a transaction. */
export class VersionRows {
  readonly #insert: Database.Statement;
  readonly #remove: Database.Statement;
  readonly #mark: Database.Statement;
  readonly #last: Database.Statement<[], Revision>;

  constructor(db: Database.Database) {
    this.#insert = db.prepare(
      "INSERT INTO versions (revision, path, version, create_time, created_by, sealed) VALUES (?, ?, ?, ?, ?, ?)",
    );
    this.#remove = db.prepare(`DELETE FROM versions WHERE ${THE_VERSION}`);
    this.#mark = db.prepare(
      `UPDATE versions SET delete_revision = ?, delete_time = ?, deleted_by = ?
        WHERE ${THE_VERSION} AND delete_revision IS NULL`,
    );
    this.#last = db.prepare<[], Revision>(LAST_REVISION).pluck();
  }

  /** Writes one change. `groupStart` is the first revision of the group that the change belongs to. */
  apply(change: Change, revision: Revision, groupStart: Revision): void {
    const { path, time, author } = change;
    if (change.kind === "put") this.#insert.run(revision, path, change.version, time, author, change.sealed);
    for (const ref of change.kind === "put" ? change.pruned : change.versions) {
      const row = [ref.revision ?? groupStart, ref.revision ?? revision, path, ref.version];
      const { changes } =
        change.kind === "put" ? this.#remove.run(...row) : this.#mark.run(revision, time, author, ...row);
      if (changes !== 1) throw new Error(`a ${change.kind} names version ${ref.version}, which has ${changes} rows`);
    }
  }

  /**
   * The last revision of the store; 0 if it is empty. The rows alone determine it: a row is removed only when a later
   * put prunes it, and the row of that put has a higher revision.
   */
  lastRevision(): Revision {
    return this.#last.get() ?? 0;
  }
}

import type Database from "better-sqlite3";
import type { Change } from "../store/change.ts";
import type { Revision } from "../store/journal.ts";

/**
 * The row of one version, by the range of revisions that it lies in. A version that an earlier entry of the same group
 * creates has no revision yet when the store names it: it is among the few rows of the group. Path and version are
 * compared even where the revision is exact, so that a mistake of the store is an error and no lost secret.
 */
const THE_VERSION = "revision BETWEEN ? AND ? AND path = ? AND version = ?";

/** Two questions, since SQLite answers only a lone max() from an index instead of reading every row. */
const LAST_REVISION = `SELECT max(
  ifnull((SELECT max(revision) FROM versions), 0),
  ifnull((SELECT max(delete_revision) FROM versions WHERE delete_revision IS NOT NULL), 0))`;

/** The rows of the table of versions, as the changes write them. Every method belongs into a transaction. */
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
   * The last revision of the store, 0 when it is empty. It is kept nowhere else: a row goes only when a later put
   * prunes it, and that put's own row has a higher revision.
   */
  lastRevision(): Revision {
    return this.#last.get() ?? 0;
  }
}

import type Database from "better-sqlite3";
import { parseSecretPath, type SecretPath } from "../domain/secret-path.ts";
import type { Change, VersionRef } from "../store/change.ts";
import type { CommittedEntry, Revision } from "../store/journal.ts";
import { reading } from "./store-checks.ts";
import { StoredHistory } from "./stored-history.ts";
import type { StoredRow } from "./stored-row.ts";
import { StoreRefused } from "./store-refused.ts";

/**
 * The number of rows to read at a time, which takes a few milliseconds. It is higher than the number of rows that one
 * Delete can mark.
 */
const PAGE_ROWS = 4096;

/**
 * Selects the changes of the rows, in revision order: one put for each version, and one deletion for each deleted
 * version. Both parts are read in the order of an index, so SQLite merges them and sorts nothing.
 */
const PAGE = `
  SELECT revision AS at, path, version, create_time, created_by, sealed, revision,
      CASE WHEN (delete_revision IS NULL) = (delete_time IS NULL) AND (delete_time IS NULL) = (deleted_by IS NULL)
        THEN delete_revision ELSE 0 END
    FROM versions WHERE revision > @after
  UNION ALL
  SELECT delete_revision AS at, path, version, delete_time, deleted_by, NULL, revision, delete_revision
    FROM versions WHERE delete_revision > @after
  ORDER BY at LIMIT ${PAGE_ROWS}`;

const NOTHING_PRUNED: readonly VersionRef[] = [];

/** Reads the versions in a database as journal entries. Pruned versions have no entry. */
export class StoredVersions {
  readonly #db: Database.Database;
  readonly #file: string;
  readonly #page: Database.Statement<[{ after: Revision }], StoredRow>;
  readonly #history = new StoredHistory();

  /** `file` is the name of the database in messages. */
  constructor(db: Database.Database, file = db.name) {
    this.#db = db;
    this.#file = file;
    this.#page = db.prepare<[{ after: Revision }], StoredRow>(PAGE).raw();
  }

  /**
   * Returns the entries, one page at a time. Call it once. Throws {@link StoreRefused} for rows that no release writes,
   * and for rows that no series of changes can produce together.
   */
  *pages(): Generator<readonly CommittedEntry[]> {
    for (let after = 0; ; ) {
      const rows = this.#rows(after);
      const whole = rows.length < PAGE_ROWS ? rows : withoutLastRevision(rows);
      if (whole.length === 0 && rows.length > 0) throw this.#damaged(`${rows[0]?.[0]} has more than one change`);
      const entries = this.#entries(whole);
      const last = entries.at(-1);
      if (last === undefined) break;
      yield entries;
      after = last.revision;
    }
    this.#refuse(this.#history.endProblem());
  }

  #rows(after: Revision): readonly StoredRow[] {
    return reading(this.#db, this.#file, () => this.#page.all({ after }));
  }

  #entries(rows: readonly StoredRow[]): CommittedEntry[] {
    const entries: { revision: Revision; changes: Change[] }[] = [];
    for (const row of rows) {
      const last = entries.at(-1);
      if (last?.revision === row[0]) last.changes.push(this.#change(row));
      else entries.push({ revision: row[0], changes: [this.#change(row)] });
    }
    return entries;
  }

  #change(row: StoredRow): Change {
    this.#refuse(this.#history.problem(row));
    const [at, path, version, time, author, sealed, createdAt] = row;
    const common = { path: this.#path(path, at), time, author };
    if (sealed === null) return { kind: "delete", ...common, versions: [{ version, revision: createdAt }] };
    return { kind: "put", ...common, version, sealed, pruned: NOTHING_PRUNED };
  }

  #path(text: string, at: Revision): SecretPath {
    try {
      return parseSecretPath(text);
    } catch (cause) {
      throw this.#damaged(`${at} has an invalid path`, cause);
    }
  }

  #refuse(problem: string | undefined): void {
    if (problem !== undefined) throw this.#damaged(problem);
  }

  #damaged(problem: string, cause?: unknown): StoreRefused {
    const message = `${this.#file} has rows that Coffer does not write: revision ${problem}`;
    return new StoreRefused("damaged", `${message}; restore the store from a copy`, { cause });
  }
}

/**
 * Leaves out the last revision of a full page, because the page may not contain all of its rows. The next page reads
 * all of it.
 */
function withoutLastRevision(rows: readonly StoredRow[]): readonly StoredRow[] {
  const last = rows.at(-1)?.[0];
  return rows.filter((row) => row[0] !== last);
}

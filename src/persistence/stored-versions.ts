import type Database from "better-sqlite3";
import { parseSecretPath, type SecretPath } from "../domain/secret-path.ts";
import type { Change, VersionRef } from "../store/change.ts";
import type { CommittedEntry, Revision } from "../store/journal.ts";
import { reading } from "./store-checks.ts";
import { StoredHistory } from "./stored-history.ts";
import type { StoredRow } from "./stored-row.ts";
import { StoreRefused } from "./store-refused.ts";

/** How many rows are read at a time: few milliseconds' work. More than one RPC can delete versions. */
const PAGE_ROWS = 4096;

/**
 * The changes behind the rows, in revision order: each version as it was put, and each once more if it was deleted.
 * Both halves come out of an index in order, so that SQLite merges them and sorts nothing.
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

/** Reads a database's versions as the entries that led to them. What was pruned since is not among them. */
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
   * The entries, a page at a time. To be read once. Throws {@link StoreRefused} for a row that no release wrote, and for
   * rows that together no series of changes leads to.
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
      throw this.#damaged(`${at} has no path`, cause);
    }
  }

  #refuse(problem: string | undefined): void {
    if (problem !== undefined) throw this.#damaged(problem);
  }

  #damaged(problem: string, cause?: unknown): StoreRefused {
    const message = `${this.#file} is not as Coffer writes it: revision ${problem}`;
    return new StoreRefused("damaged", `${message}; restore the store from a copy`, { cause });
  }
}

/** A full page may end in the midst of a revision: the next page reads that one whole. */
function withoutLastRevision(rows: readonly StoredRow[]): readonly StoredRow[] {
  const last = rows.at(-1)?.[0];
  return rows.filter((row) => row[0] !== last);
}

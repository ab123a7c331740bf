import type Database from "better-sqlite3";
import { parseSecretPath, type SecretPath } from "../domain/secret-path.ts";
import type { Change, VersionRef } from "../store/change.ts";
import type { CommittedEntry, Revision } from "../store/journal.ts";
import { Slab } from "./slab.ts";
import { StoreRefused } from "./store-refused.ts";

/** How many rows are read at a time: few milliseconds' work. More than one RPC can delete versions. */
const PAGE_ROWS = 4096;

/**
 * The changes behind the rows, in revision order: each version as it was put, and each once more if it was deleted.
 * Both halves come out of an index in order, so that SQLite merges them and sorts nothing.
 */
const PAGE = `
  SELECT revision AS at, path, version, create_time, created_by, sealed, revision
    FROM versions WHERE revision > @after
  UNION ALL
  SELECT delete_revision AS at, path, version, delete_time, deleted_by, NULL, revision
    FROM versions WHERE delete_revision > @after
  ORDER BY at LIMIT ${PAGE_ROWS}`;

type Row = readonly [
  at: Revision,
  path: string,
  version: number,
  time: number,
  author: string,
  sealed: Buffer | null,
  createdAt: Revision,
];

const NOTHING_PRUNED: readonly VersionRef[] = [];

/** Reads a database's versions as the entries that led to them. What was pruned since is not among them. */
export class StoredVersions {
  readonly #file: string;
  readonly #page: Database.Statement<[{ after: Revision }], Row>;
  readonly #slab = new Slab();
  /** Authors are few and named often: one string each instead of one for every version. */
  readonly #authors = new Map<string, string>();

  constructor(db: Database.Database) {
    this.#file = db.name;
    this.#page = db.prepare<[{ after: Revision }], Row>(PAGE).raw();
  }

  /** The entries, a page at a time. Throws {@link StoreRefused} "damaged" for a row that no release wrote. */
  *pages(): Generator<readonly CommittedEntry[]> {
    for (let after = 0; ; ) {
      const rows = this.#page.all({ after });
      const entries = this.#entries(rows.length < PAGE_ROWS ? rows : withoutLastRevision(rows));
      const last = entries.at(-1);
      if (last === undefined) return;
      yield entries;
      after = last.revision;
    }
  }

  #entries(rows: readonly Row[]): CommittedEntry[] {
    const entries: { revision: Revision; changes: Change[] }[] = [];
    for (const row of rows) {
      const last = entries.at(-1);
      if (last?.revision === row[0]) last.changes.push(this.#change(row));
      else entries.push({ revision: row[0], changes: [this.#change(row)] });
    }
    return entries;
  }

  #change(row: Row): Change {
    const [at, path, version, time, author, sealed, createdAt] = row;
    if (![at, version, time].every(isPositive)) throw this.#damaged(at);
    const common = { path: this.#path(path, at), time, author: this.#author(author) };
    if (sealed === null && at <= createdAt) throw this.#damaged(at); // deleted before it was there
    if (sealed === null) return { kind: "delete", ...common, versions: [{ version, revision: createdAt }] };
    return { kind: "put", ...common, version, sealed: this.#slab.copy(sealed), pruned: NOTHING_PRUNED };
  }

  #path(text: string, at: Revision): SecretPath {
    try {
      return parseSecretPath(text);
    } catch (cause) {
      throw this.#damaged(at, cause);
    }
  }

  #author(name: string): string {
    const known = this.#authors.get(name);
    if (known === undefined) this.#authors.set(name, name);
    return known ?? name;
  }

  #damaged(at: Revision, cause?: unknown): StoreRefused {
    const message = `revision ${at} in ${this.#file} is not as Coffer writes it; restore the store from a copy`;
    return new StoreRefused("damaged", message, { cause });
  }
}

/** A full page may end in the midst of a revision: the next page reads that one whole. */
function withoutLastRevision(rows: readonly Row[]): readonly Row[] {
  const last = rows.at(-1)?.[0];
  return rows.filter((row) => row[0] !== last);
}

/** Rules out numbers that JavaScript would round, too. */
function isPositive(number: number): boolean {
  return Number.isSafeInteger(number) && number > 0;
}

import type Database from "better-sqlite3";
import type { PutChange, StateChange, VersionRef } from "../store/change.ts";
import type { Revision } from "../store/revision.ts";
import { stateCode } from "./version-state-codes.ts";

/**
 * Selects the row of one version. Path and version are compared although the number of the row is exact, so that a bug in
 * the store causes an error and not a lost secret.
 */
const THE_VERSION = "row_number = ? AND path = ? AND version = ?";

interface Inserted {
  readonly path: string;
  readonly version: number;
  readonly row: number;
}

/** Writes the table `versions`. Call its methods within a transaction. */
export class VersionRows {
  readonly #insert: Database.Statement;
  readonly #remove: Database.Statement;
  readonly #mark: Database.Statement;
  readonly #erase: Database.Statement;
  /** The versions that the current group has inserted. The store does not know their rows before the commit. */
  #inserted: Inserted[] = [];
  /** Their rows by path and version; undefined until a change of the group refers to one of them. */
  #rows: Map<string, number> | undefined;

  constructor(db: Database.Database) {
    this.#insert = db.prepare(
      `INSERT INTO versions (row_number, rows_before, path, version, create_time, created_by, sealed, expire_time)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#remove = db.prepare(`DELETE FROM versions WHERE ${THE_VERSION}`);
    const state = "state = ?, state_revision = ?, state_time = ?, state_by = ?";
    this.#mark = db.prepare(`UPDATE versions SET ${state} WHERE ${THE_VERSION}`);
    this.#erase = db.prepare(`UPDATE versions SET ${state}, sealed = x'' WHERE ${THE_VERSION}`);
  }

  beginGroup(): void {
    this.#inserted = [];
    this.#rows = undefined;
  }

  put(change: PutChange, revision: Revision): void {
    const { path, version, time, author, sealed, expireTime, rowsBefore } = change;
    const row = revision - rowsBefore;
    this.#insert.run(row, rowsBefore, path, version, time, author, sealed, expireTime ?? null);
    this.#inserted.push({ path, version, row });
    this.#rows?.set(nameOf(path, version), row);
  }

  setState({ state, path, time, author, versions }: StateChange, revision: Revision): void {
    const statement = state === "destroyed" || state === "expired" ? this.#erase : this.#mark;
    for (const ref of versions) {
      const { changes } = statement.run(stateCode(state), revision, time, author, ...this.#place(path, ref));
      expectOne(changes, path, ref);
    }
  }

  remove(path: string, versions: readonly VersionRef[]): void {
    for (const ref of versions) expectOne(this.#remove.run(...this.#place(path, ref)).changes, path, ref);
  }

  #place(path: string, { row, version }: VersionRef): [row: number, path: string, version: number] {
    return [row ?? this.#insertedRow(path, version), path, version];
  }

  #insertedRow(path: string, version: number): number {
    this.#rows ??= new Map(this.#inserted.map((one) => [nameOf(one.path, one.version), one.row]));
    return this.#rows.get(nameOf(path, version)) ?? 0;
  }
}

function nameOf(path: string, version: number): string {
  return `${path} ${version}`;
}

function expectOne(changes: number, path: string, { version }: VersionRef): void {
  if (changes !== 1) throw new Error(`a change names version ${version} of ${path}, which has ${changes} rows`);
}

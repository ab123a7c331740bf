import type Database from "better-sqlite3";
import type { Change, VersionRef } from "../store/change.ts";
import type { JournalEntry, RequestChange } from "../store/journal.ts";
import { refsOf } from "./entry-rows.ts";
import { FORGOTTEN_ROWS } from "./request-rows.ts";

const PAGE_BYTES = 4096;

// The pages that a change of a row writes: in the tree of its table, in an index and in the list of free pages. Rounded up.
const BYTES_PER_ROW = 4 * PAGE_BYTES;

// The page with the mark, which every commit writes (log-mark.ts).
const BYTES_PER_COMMIT = PAGE_BYTES;

// The longest result of one operation in the text of a remembered request: a hundred version numbers, and a time.
const BYTES_PER_RESULT = 1024;

// The longest settings: 64 labels with prefixes, in JSON, and a description.
const BYTES_PER_SETTINGS = 28 * 1024;

// A remembered request in the table: its columns without its caller and its results, and its share of each page's header.
const BYTES_PER_REQUEST = 128;

/** The bytes that the smallest change writes: a Put of a small content, which changes one row. */
export const MINIMUM_BYTES_WRITTEN = 2 * (BYTES_PER_COMMIT + BYTES_PER_ROW);

/** The bytes that the row of a timeline writes, and the removal of the oldest one. */
export const TIMELINE_BYTES_WRITTEN = 2 * BYTES_PER_ROW;

/** The bytes that a migration of the tables writes: the pages of the new tables and of the schema. */
export const UPGRADE_BYTES_WRITTEN = 2 * 24 * PAGE_BYTES;

/** Estimates the maximum number of bytes that a group writes, before it does. */
export class BytesWritten {
  readonly #db: Database.Database;
  readonly #size: Database.Statement<[number], number>;
  /** Undefined until requests are forgotten: a store of an older release has no table of them. */
  #forgotten: Database.Statement<[number], number | null> | undefined;

  constructor(db: Database.Database) {
    this.#db = db;
    // In the tables of every release, VersionRef.row is the rowid.
    this.#size = db.prepare<[number], number>("SELECT length(sealed) FROM versions WHERE rowid = ?").pluck();
  }

  /**
   * The content of a changed row counts twice, because SQLite overwrites its old place with zeros and may write it to
   * another place. A new content also counts twice, for two reasons. A later change of the group can change its row. And
   * its size is used in place of the size of the content that the Put prunes: reading the size of each pruned row took a
   * fifth of the time of a Put. The sum counts twice again: once in the log, and once in the database at the next
   * checkpoint.
   */
  of(group: readonly JournalEntry[]): number {
    let sum = BYTES_PER_COMMIT;
    for (const { changes, requests } of group) {
      for (const change of changes) sum += this.#ofChange(change);
      if (requests !== undefined) sum += this.#ofRequest(requests);
    }
    return 2 * sum;
  }

  #ofChange(change: Change): number {
    const refs = refsOf(change);
    const rows = (1 + refs.length) * BYTES_PER_ROW + ofSettings(change);
    if (change.kind === "put") return rows + 2 * change.sealed.length;
    return refs.reduce((sum, ref) => sum + 2 * this.#sizeOf(ref), rows);
  }

  /** The size of a stored content; 0 for a version that the same group creates, whose content counts twice there. */
  #sizeOf({ row }: VersionRef): number {
    return row === undefined ? 0 : (this.#size.get(row) ?? 0);
  }

  #ofRequest(change: RequestChange): number {
    if (change.kind === "remember") return BYTES_PER_ROW + BYTES_PER_RESULT * change.request.results.length;
    this.#forgotten ??= this.#db
      .prepare<[number], number | null>(
        `SELECT sum(length(caller) + length(results) + ${BYTES_PER_REQUEST}) ${FORGOTTEN_ROWS}`,
      )
      .pluck();
    return BYTES_PER_ROW + (this.#forgotten.get(change.before) ?? 0);
  }
}

/**
 * The bytes in addition to the row of the change itself. A change of settings may remove a tombstone, and writes the new
 * settings and overwrites the old ones. A Purge writes a tombstone and overwrites the settings.
 */
function ofSettings({ kind }: Change): number {
  if (kind === "settings") return BYTES_PER_ROW + 2 * BYTES_PER_SETTINGS;
  return kind === "purge" ? BYTES_PER_ROW + BYTES_PER_SETTINGS : 0;
}

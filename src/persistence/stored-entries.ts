import type Database from "better-sqlite3";
import { parseSecretPath, type SecretPath } from "../domain/secret-path.ts";
import type { Change, VersionRef } from "../store/change.ts";
import type { CommittedEntry, RequestChange } from "../store/journal.ts";
import type { Revision } from "../store/revision.ts";
import { inOrder } from "./row-cursor.ts";
import { reading } from "./store-checks.ts";
import { StoredHistory } from "./stored-history.ts";
import type { PutRow, StateRow, StoredRow } from "./stored-row.ts";
import { StoreRefused } from "./store-refused.ts";
import { PAGE_ROWS, countSecrets, cursorsOf, lastForgetting, lastRevision } from "./stored-tables.ts";
import { storedTimelines } from "./timeline-rows.ts";
import { requestOf, settingsOf } from "./stored-values.ts";
import { stateOfCode } from "./version-state-codes.ts";

const NOTHING_PRUNED: readonly VersionRef[] = [];

/** An entry whose rows are being read. */
interface OpenEntry extends CommittedEntry {
  readonly changes: Change[];
  requests: RequestChange | undefined;
}

/**
 * Reads the rows of a database as journal entries. It returns what is retained, and not every change that was made: the
 * puts of the retained versions, the last change of each state and of the settings of each secret, the purges whose
 * tombstones are kept, and the requests that are remembered.
 */
export class StoredEntries {
  readonly #db: Database.Database;
  readonly #file: string;
  readonly #history = new StoredHistory();

  /** `file` is the name of the database in messages. */
  constructor(db: Database.Database, file = db.name) {
    this.#db = db;
    this.#file = file;
  }

  /**
   * Returns the entries, some thousands of rows at a time. Call it once. Throws {@link StoreRefused} for rows that no
   * release writes, and for rows that no series of changes can produce together.
   */
  *pages(): Generator<readonly CommittedEntry[]> {
    let page: OpenEntry[] = [];
    let rows = 0;
    for (const row of this.#rows()) {
      this.#refuse(this.#history.problem(row));
      let entry = page.at(-1);
      if (entry?.revision !== row.at) {
        if (rows >= PAGE_ROWS) {
          yield page;
          [page, rows] = [[], 0];
        }
        entry = { revision: row.at, changes: [], requests: undefined };
        page.push(entry);
      }
      this.#add(entry, row);
      rows += 1;
    }
    this.#refuse(this.#history.endProblem(this.#reading(() => countSecrets(this.#db))));
    if (page.length > 0) yield page;
    const revision = this.#reading(() => lastForgetting(this.#db));
    // The last entry that removed tombstones or requests. Only its revision is known, not what it removed.
    if (revision > 0) yield [{ revision, changes: [], requests: undefined, forgotten: revision }];
    yield this.#timelines();
  }

  /** An entry without changes for each timeline. Its revision is that with which the timeline begins. */
  #timelines(): readonly CommittedEntry[] {
    const starts = this.#reading(() => storedTimelines(this.#db));
    const last = this.#reading(() => lastRevision(this.#db));
    const latest = starts.at(-1)?.first;
    if (latest === undefined) throw this.#damaged(`${last} has no timeline`);
    if (latest > last) throw this.#damaged(`${latest}, which begins a timeline, is not reached`);
    return starts.map((timeline) => ({ revision: timeline.first, changes: [], requests: undefined, timeline }));
  }

  *#rows(): Generator<StoredRow> {
    const rows = inOrder(this.#reading(() => cursorsOf(this.#db)));
    for (;;) {
      const { done, value } = this.#reading(() => rows.next());
      if (done === true) return;
      yield value;
    }
  }

  #reading<T>(read: () => T): T {
    return reading(this.#db, this.#file, read);
  }

  #add(entry: OpenEntry, row: StoredRow): void {
    if (row.kind === "request") entry.requests = { kind: "remember", request: requestOf(row) };
    else entry.changes.push(this.#change(row));
  }

  #change(row: Exclude<StoredRow, { readonly kind: "request" }>): Change {
    const { time, author } = row;
    const made = { path: this.#path(row.path, row.at), time, author };
    switch (row.kind) {
      case "put":
        return { kind: "put", ...made, ...putOf(row) };
      case "state":
        return { kind: "state", ...made, ...stateOf(row) };
      case "settings":
        return { kind: "settings", ...made, settings: settingsOf(row), pruned: NOTHING_PRUNED };
      case "tombstone":
        return { kind: "purge", ...made, lastVersion: row.lastVersion, versions: NOTHING_PRUNED };
    }
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

function putOf({ at, row, version, sealed, expireTime }: PutRow) {
  return { version, sealed, expireTime: expireTime ?? undefined, rowsBefore: at - row, pruned: NOTHING_PRUNED };
}

function stateOf({ code, version, row }: StateRow) {
  const state = stateOfCode(code);
  // The put of the same row has been read before, and its state was checked.
  if (state === undefined) throw new Error(`the state ${code} of row ${row} was not checked`);
  return { state, versions: [{ version, row }] };
}

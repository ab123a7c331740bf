import { dirname } from "node:path";
import { setImmediate } from "node:timers/promises";
import Database from "better-sqlite3";
import type {
  CheckpointMode,
  CommitOutcome,
  CommittedEntry,
  Journal,
  JournalEntry,
  Revision,
} from "../store/journal.ts";
import { type FreeBytes, LEAST_BYTES_WRITTEN, bytesWritten, freeBytesAround, readOnlyReason } from "./free-space.ts";
import { StoredVersions } from "./stored-versions.ts";
import { VersionRows } from "./version-rows.ts";
import { WriteAheadLog } from "./write-ahead-log.ts";

/**
 * - open: in use.
 * - ended: closed, or failed. After a failure nobody knows what is on the disk (the same error at COMMIT was seen to
 *   keep the change, and to lose it), so nothing is written through this connection again, and it stays open: closing
 *   it would checkpoint on a disk that has just failed. The process must leave by SIGKILL or process.exit: where it runs
 *   out of work, a hook of better-sqlite3 closes every database.
 */
type State = { readonly kind: "open" } | { readonly kind: "ended"; readonly cause: unknown };

/**
 * A journal in a SQLite database that this process owns alone (database.ts, schema.ts). It commits before it returns,
 * and is never stale, since the database's lock keeps every other writer out. An entry holds at most one put, because
 * rows are keyed by revision.
 */
export class SqliteJournal implements Journal {
  readonly #db: Database.Database;
  readonly #folder: string;
  readonly #log: WriteAheadLog;
  readonly #rows: VersionRows;
  readonly #begin: Database.Statement;
  readonly #commit: Database.Statement;
  readonly #freeBytes: FreeBytes;
  #lastRevision: Revision;
  #state: State = { kind: "open" };

  constructor(db: Database.Database, freeBytes: FreeBytes = freeBytesAround(dirname(db.name))) {
    this.#db = db;
    this.#folder = dirname(db.name);
    this.#freeBytes = freeBytes;
    this.#log = new WriteAheadLog(db);
    this.#rows = new VersionRows(db);
    this.#begin = db.prepare("BEGIN IMMEDIATE");
    this.#commit = db.prepare("COMMIT");
    this.#lastRevision = this.#rows.lastRevision();
  }

  async *load(): AsyncGenerator<readonly CommittedEntry[]> {
    for (const page of new StoredVersions(this.#db).pages()) {
      yield page;
      await setImmediate();
    }
  }

  commit(group: readonly JournalEntry[]): Promise<CommitOutcome> {
    const outcome = this.#state.kind === "open" ? this.#transact(group) : unknown(this.#state.cause);
    return Promise.resolve(outcome);
  }

  /** There is no other writer, hence nothing to tell. */
  onFeed(): void {}

  checkpoint(mode: CheckpointMode): void {
    if (this.#state.kind === "ended") throw this.#state.cause;
    try {
      this.#log.checkpoint(mode);
    } catch (cause) {
      this.#state = { kind: "ended", cause };
      throw cause;
    }
  }

  obstacle(): string | undefined {
    if (this.#state.kind === "ended") return "the journal has ended";
    return readOnlyReason(this.#folder) ?? this.#shortage(LEAST_BYTES_WRITTEN)?.message;
  }

  close(): void {
    if (this.#state.kind === "ended") return;
    this.#state = { kind: "ended", cause: new Error("the journal is closed") };
    this.#db.close();
  }

  /** The one place where anything is written. What an error means depends on how far the transaction came. */
  #transact(group: readonly JournalEntry[]): CommitOutcome {
    let committing = false;
    try {
      const size = bytesWritten(group);
      const shortage = this.#shortage(size);
      if (shortage !== undefined) return { kind: "rejected", cause: shortage };
      this.#begin.run();
      const revisions = this.#write(group);
      committing = true;
      this.#commit.run();
      this.#log.added(size);
      this.#lastRevision += group.length;
      return { kind: "committed", revisions };
    } catch (cause) {
      if (!committing && isFull(cause) && this.#isRolledBack()) return { kind: "rejected", cause };
      this.#state = { kind: "ended", cause };
      return unknown(cause);
    }
  }

  /**
   * SQLite writes a transaction at its COMMIT, and a COMMIT that finds no room leaves the outcome unknown. So the room
   * is looked for before anything begins, and some is kept for the checkpoint of what the log already holds.
   */
  #shortage(size: number): Error | undefined {
    const free = this.#freeBytes();
    if (free >= size + this.#log.mostPendingBytes()) return undefined;
    const needed = size + this.#log.pendingBytes();
    if (free >= needed) return undefined;
    return new Error(`${this.#folder} has ${free} bytes left, and the next commit may take ${needed}`);
  }

  #write(group: readonly JournalEntry[]): Revision[] {
    const start = this.#lastRevision + 1;
    return group.map((entry, index) => {
      const revision = start + index;
      for (const change of entry.changes) this.#rows.apply(change, revision, start);
      return revision;
    });
  }

  /**
   * SQLite may have ended the transaction with the error, and may as well have left it open
   * (sqlite.org/lang_transaction.html, section 3): with the next BEGIN it would then go on.
   */
  #isRolledBack(): boolean {
    try {
      if (this.#db.inTransaction) this.#db.exec("ROLLBACK");
      return true;
    } catch {
      return false;
    }
  }
}

function unknown(cause: unknown): CommitOutcome {
  return { kind: "unknown", cause };
}

function isFull(error: unknown): boolean {
  return error instanceof Database.SqliteError && error.code === "SQLITE_FULL";
}

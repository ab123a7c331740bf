import { dirname } from "node:path";
import { setImmediate } from "node:timers/promises";
import type Database from "better-sqlite3";
import type {
  CheckpointMode,
  CommitOutcome,
  CommittedEntry,
  Journal,
  JournalEntry,
  Revision,
  CommitSpace,
} from "../store/journal.ts";
import { truncateLog } from "./truncate-log.ts";
import { type FreeBytes, MINIMUM_BYTES_WRITTEN, bytesWritten, freeBytesAround, readOnlyReason } from "./free-space.ts";
import { CommitMarks } from "./log-mark.ts";
import { emptyLog, readLog } from "./log-reading.ts";
import { Ownership } from "./ownership.ts";
import { type OutOfSpace, DiskSpace } from "./disk-space.ts";
import { isOlder, upgrade } from "./schema.ts";
import { StoredVersions } from "./stored-versions.ts";
import { VersionRows } from "./version-rows.ts";
import { WriteAheadLog } from "./write-ahead-log.ts";

/**
 * - open: in use.
 * - ended: closed, or failed. After a failure, the content of the disk is unknown: with the same error at COMMIT, the
 *   change was present in one test and lost in another. So this connection writes nothing more. It stays open, because
 *   closing it would make a checkpoint on a disk that has just failed. The process must end by SIGKILL or process.exit:
 *   if it runs out of work instead, a hook of better-sqlite3 closes every database.
 */
type State = { readonly kind: "open" } | { readonly kind: "ended"; readonly cause: unknown };

/**
 * A journal in a SQLite database that only this process has open (database.ts, schema.ts). A commit is durable before
 * `commit` returns, and is never stale, because the database's lock keeps every other writer out. An entry contains at
 * most one put, because rows are keyed by revision.
 */
export class SqliteJournal implements Journal {
  readonly #db: Database.Database;
  readonly #folder: string;
  readonly #log: WriteAheadLog;
  readonly #rows: VersionRows;
  readonly #begin: Database.Statement;
  readonly #commit: Database.Statement;
  readonly #space: DiskSpace;
  readonly #ownership: Ownership;
  readonly #pageSize: number;
  /** Undefined in a store of an older release until its first change. */
  #marks: CommitMarks | undefined;
  #lastRevision: Revision;
  /** Whether the tables are still those of an older release. */
  #isOlder: boolean;
  #state: State = { kind: "open" };

  constructor(db: Database.Database, freeBytes: FreeBytes = freeBytesAround(dirname(db.name))) {
    this.#db = db;
    this.#folder = dirname(db.name);
    this.#space = new DiskSpace(db.name, freeBytes);
    this.#ownership = new Ownership(db.name);
    this.#pageSize = db.pragma("page_size", { simple: true }) as number;
    this.#log = new WriteAheadLog(db);
    this.#rows = new VersionRows(db);
    this.#begin = db.prepare("BEGIN IMMEDIATE");
    this.#commit = db.prepare("COMMIT");
    this.#lastRevision = this.#rows.lastRevision();
    this.#isOlder = isOlder(db);
    if (!this.#isOlder) this.#marks = new CommitMarks(db);
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

  /** Never calls the listener, because there is no other writer. */
  onFeed(): void {}

  checkpoint(mode: CheckpointMode): void {
    if (this.#state.kind === "ended") throw this.#state.cause;
    try {
      this.#log.checkpoint(mode);
    } catch (cause) {
      // Without space, the changes stay in the log, where they are durable.
      if (this.#space.explains(cause, this.#reserve)) return;
      this.#state = { kind: "ended", cause };
      throw cause;
    }
  }

  obstacle(): string | undefined {
    if (this.#state.kind === "ended") return "the journal has ended";
    return readOnlyReason(this.#folder) ?? this.#shortage(this.#leastBytes)?.message;
  }

  space(): CommitSpace {
    return { free: this.#space.free, reserve: this.#state.kind === "open" ? this.#reserve : this.#leastBytes };
  }

  loss(): string | undefined {
    const loss = this.#state.kind === "open" ? this.#ownership.loss() : undefined;
    if (loss !== undefined) this.#state = { kind: "ended", cause: new Error(loss) };
    return loss;
  }

  close(): void {
    if (this.#state.kind === "ended") return;
    this.#state = { kind: "ended", cause: new Error("the journal is closed") };
    this.#db.close();
  }

  /** The only method that writes changes. After an error, the group is either rejected, or its outcome is unknown. */
  #transact(group: readonly JournalEntry[]): CommitOutcome {
    const size = bytesWritten(group) + this.#upgradeBytes;
    try {
      const shortage = this.#shortage(size);
      if (shortage !== undefined) return rejected(shortage);
      this.#begin.run();
      this.#markCommit();
      const revisions = this.#write(group);
      this.#commit.run();
      this.#log.added(size);
      this.#isOlder = false;
      this.#marks?.committed();
      this.#lastRevision += group.length;
      return { kind: "committed", revisions };
    } catch (cause) {
      return this.#outcomeOf(cause, size);
    }
  }

  /**
   * The outcome of a transaction that threw an error. It is known not to be committed only if the disk is full and the
   * log, read again, has no commit that SQLite does not know of. In every other case, the outcome is unknown.
   */
  #outcomeOf(cause: unknown, size: number): CommitOutcome {
    try {
      const needed = size + this.#log.mostPendingBytes();
      if (this.#space.explains(cause, needed) && this.#isRolledBack() && this.#isUnwritten()) {
        return rejected(this.#space.outOfSpace(needed), cause);
      }
    } catch {
      // The first error is the one to report.
    }
    this.#state = { kind: "ended", cause };
    return unknown(cause);
  }

  #isUnwritten(): boolean {
    const file = `${this.#db.name}-wal`;
    const reading = readLog(file, this.#pageSize);
    if (reading.kind === "damaged") return false;
    const { frames, end } = reading.kind === "intact" ? reading.log : emptyLog(this.#pageSize);
    if (frames !== this.#log.committedFrames()) return false;
    truncateLog(file, end);
    return true;
  }

  /** Writes the mark of the commit. The first change also migrates a store of an older release. */
  #markCommit(): void {
    if (this.#isOlder) upgrade(this.#db);
    if (this.#isOlder || this.#marks === undefined) this.#marks = new CommitMarks(this.#db);
    this.#marks.write();
  }

  get #upgradeBytes(): number {
    return this.#isOlder ? MINIMUM_BYTES_WRITTEN : 0;
  }

  get #leastBytes(): number {
    return MINIMUM_BYTES_WRITTEN + this.#upgradeBytes;
  }

  /** The bytes that the smallest change writes, and the checkpoint of the changes that are already in the log. */
  get #reserve(): number {
    return this.#leastBytes + this.#log.pendingBytes();
  }

  /**
   * Checks the space before the transaction begins, because SQLite writes a transaction only at its COMMIT. It reserves
   * space for the checkpoint of the changes that are already in the log.
   */
  #shortage(size: number): OutOfSpace | undefined {
    const atMost = this.#space.shortage(size + this.#log.mostPendingBytes());
    return atMost && this.#space.shortage(size + this.#log.pendingBytes());
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
   * Makes sure that the transaction has ended. When SQLite reports an error, it may have rolled the transaction back or
   * left it open (sqlite.org/lang_transaction.html, section 3).
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

function rejected({ shortage, message }: OutOfSpace, cause?: unknown): CommitOutcome {
  return { kind: "rejected", cause: new Error(message, { cause }), shortage };
}

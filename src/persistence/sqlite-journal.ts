import { dirname } from "node:path";
import { setImmediate } from "node:timers/promises";
import type Database from "better-sqlite3";
import type {
  CheckpointMode,
  CommitOutcome,
  CommittedEntry,
  Journal,
  JournalEntry,
  CommitSpace,
} from "../store/journal.ts";
import { type RandomFill, secureRandom } from "../sealing/random.ts";
import type { Revision } from "../store/revision.ts";
import { truncateLog } from "./truncate-log.ts";
import { assignRevisions } from "./assigned-revisions.ts";
import { EntryRows } from "./entry-rows.ts";
import { BytesWritten, MINIMUM_BYTES_WRITTEN, TIMELINE_BYTES_WRITTEN, UPGRADE_BYTES_WRITTEN } from "./bytes-written.ts";
import { type FreeBytes, freeBytesAround, isOutOfSpace, readOnlyReason } from "./free-space.ts";
import { CommitMarks } from "./log-mark.ts";
import { emptyLog, readLog } from "./log-reading.ts";
import { Ownership } from "./ownership.ts";
import { type OutOfSpace, DiskSpace } from "./disk-space.ts";
import { isOlder, upgrade } from "./schema.ts";
import { StoredEntries } from "./stored-entries.ts";
import { lastRevision } from "./stored-tables.ts";
import { OwnTimeline } from "./timeline-rows.ts";
import { WriteAheadLog } from "./write-ahead-log.ts";

/**
 * - open: in use.
 * - ended: closed, or failed. After a failure, the content of the disk is unknown: with the same error at COMMIT, the
 *   change was present in one test and lost in another. So this connection writes nothing more. It stays open, because
 *   closing it would make a checkpoint on a disk that has just failed. The process must end by SIGKILL or process.exit:
 *   if it runs out of work instead, a hook of better-sqlite3 closes every database.
 */
type State = { readonly kind: "open" } | { readonly kind: "ended"; readonly cause: unknown };

/** Writes to the tables of this release. */
interface Writer {
  readonly marks: CommitMarks;
  readonly timeline: OwnTimeline;
  readonly rows: EntryRows;
}

/**
 * A journal in a SQLite database that only this process has open (database.ts, schema.ts). A commit is durable before
 * `commit` returns. The outcome is never "stale", because the database's lock keeps every other writer out.
 */
export class SqliteJournal implements Journal {
  readonly #db: Database.Database;
  readonly #folder: string;
  readonly #random: RandomFill;
  readonly #log: WriteAheadLog;
  readonly #begin: Database.Statement;
  readonly #commit: Database.Statement;
  readonly #space: DiskSpace;
  readonly #ownership: Ownership;
  readonly #pageSize: number;
  readonly #bytes: BytesWritten;
  /** Undefined in a store of an older release until its first change. */
  #writer: Writer | undefined;
  #lastRevision: Revision;
  #state: State = { kind: "open" };

  /** `random` chooses the id of the timeline. */
  constructor(
    db: Database.Database,
    freeBytes: FreeBytes = freeBytesAround(dirname(db.name)),
    random: RandomFill = secureRandom,
  ) {
    this.#db = db;
    this.#random = random;
    this.#folder = dirname(db.name);
    this.#space = new DiskSpace(db.name, freeBytes);
    this.#ownership = new Ownership(db.name);
    this.#pageSize = db.pragma("page_size", { simple: true }) as number;
    this.#log = new WriteAheadLog(db);
    this.#begin = db.prepare("BEGIN IMMEDIATE");
    this.#commit = db.prepare("COMMIT");
    this.#lastRevision = lastRevision(db);
    this.#bytes = new BytesWritten(db);
    this.#writer = isOlder(db) ? undefined : writerOf(db, random);
  }

  async *load(): AsyncGenerator<readonly CommittedEntry[]> {
    for (const page of new StoredEntries(this.#db).pages()) {
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

  erase(): boolean {
    if (this.#state.kind === "ended") throw this.#state.cause;
    try {
      this.#log.erase();
      return true;
    } catch (cause) {
      // A file system with copy-on-write can need free space to overwrite bytes of the database.
      if (isOutOfSpace(cause) || this.#space.explains(cause, this.#reserve)) return false;
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
    this.#log.close();
  }

  /** The only method that writes changes. After an error, the group is either rejected, or its outcome is unknown. */
  #transact(group: readonly JournalEntry[]): CommitOutcome {
    let size = this.#leastBytes;
    try {
      size = this.#bytes.of(group) + this.#firstBytes;
      const shortage = this.#shortage(size);
      if (shortage !== undefined) return rejected(shortage);
      this.#begin.run();
      const writer = this.#writer ?? this.#upgraded();
      const entries = assignRevisions(group, this.#lastRevision);
      writer.marks.write();
      writer.rows.write(entries);
      const timeline = entries.length > 0 ? writer.timeline.write(this.#lastRevision) : undefined;
      this.#commit.run();
      this.#log.added(size);
      this.#writer = writer;
      writer.marks.committed();
      if (timeline !== undefined) writer.timeline.committed();
      this.#lastRevision = entries.at(-1)?.revision ?? this.#lastRevision;
      const revisions = entries.map(({ revision }) => revision);
      return timeline === undefined ? { kind: "committed", revisions } : { kind: "committed", revisions, timeline };
    } catch (cause) {
      return this.#outcomeOf(cause, size);
    }
  }

  /**
   * The outcome of a transaction that threw an error. The group is rejected only if the disk is full, and the log, read
   * again, contains exactly the commits that SQLite knows. In every other case, the outcome is unknown.
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

  /** Migrates a store of an older release, within its first transaction. */
  #upgraded(): Writer {
    upgrade(this.#db);
    return writerOf(this.#db, this.#random);
  }

  /** The bytes that the first commit of this process writes in addition to its changes. */
  get #firstBytes(): number {
    if (this.#writer === undefined) return UPGRADE_BYTES_WRITTEN + TIMELINE_BYTES_WRITTEN;
    return this.#writer.timeline.hasBegun ? 0 : TIMELINE_BYTES_WRITTEN;
  }

  get #leastBytes(): number {
    return MINIMUM_BYTES_WRITTEN + this.#firstBytes;
  }

  /** The bytes of the smallest change, plus those of the checkpoint of the changes that are already in the log. */
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

function writerOf(db: Database.Database, random: RandomFill): Writer {
  return { marks: new CommitMarks(db), timeline: new OwnTimeline(db, random), rows: new EntryRows(db) };
}

function unknown(cause: unknown): CommitOutcome {
  return { kind: "unknown", cause };
}

function rejected({ shortage, message }: OutOfSpace, cause?: unknown): CommitOutcome {
  return { kind: "rejected", cause: new Error(message, { cause }), shortage };
}

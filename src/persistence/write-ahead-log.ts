import type Database from "better-sqlite3";
import type { CheckpointMode } from "../store/journal.ts";
import { FreedBlocks } from "./freed-blocks.ts";
import { FRAME_HEADER_BYTES } from "./log-frame.ts";
import { MovedRows } from "./moved-rows.ts";

/** If the pages that are not in the database yet have this size, a checkpoint with the mode "due" copies them there. */
const PASSIVE_BYTES = 4 * 1024 * 1024;

/**
 * If the log has this size, a checkpoint with the mode "due" also truncates it, because a large log makes the next
 * start slow.
 */
const TRUNCATE_BYTES = 64 * 1024 * 1024;

/** The result of `PRAGMA wal_checkpoint`: the number of pages in the log, and how many of them are in the database. */
interface LogState {
  readonly busy: number;
  readonly log: number;
  readonly checkpointed: number;
}

type Checkpoint = Database.Statement<[], LogState>;

/**
 * SQLite's log of committed pages, and its checkpoints. Every result is checked, because a checkpoint can be the first
 * operation that a failing disk affects. The size of the log comes from SQLite and never from the file, which must not
 * be opened (database.ts).
 */
export class WriteAheadLog {
  readonly #look: Checkpoint;
  readonly #passive: Checkpoint;
  readonly #truncate: Checkpoint;
  readonly #db: Database.Database;
  readonly #moved: MovedRows;
  readonly #freed: FreedBlocks;
  readonly #frameBytes: number;
  /** The last state that SQLite reported. */
  #state: LogState;
  /** The maximum number of bytes that commits have added since that state. */
  #added = 0;

  constructor(db: Database.Database) {
    this.#look = db.prepare("PRAGMA wal_checkpoint(NOOP)");
    this.#passive = db.prepare("PRAGMA wal_checkpoint(PASSIVE)");
    this.#truncate = db.prepare("PRAGMA wal_checkpoint(TRUNCATE)");
    const pageSize = db.pragma("page_size", { simple: true }) as number;
    this.#db = db;
    this.#moved = new MovedRows(db.name, pageSize);
    this.#freed = new FreedBlocks(db);
    this.#frameBytes = pageSize + FRAME_HEADER_BYTES;
    this.#state = stateAfter(this.#look);
  }

  /** The number of committed frames in the log, as SQLite reports it. */
  committedFrames(): number {
    this.#refresh();
    return Math.max(0, this.#state.log);
  }

  /**
   * Call it after a commit that added at most `bytes`. SQLite is asked for its state only when the estimate does not
   * suffice.
   */
  added(bytes: number): void {
    this.#added += bytes;
  }

  /**
   * Makes a checkpoint as `mode` requires. Throws if the disk fails, or if another connection prevents the checkpoint.
   */
  checkpoint(mode: CheckpointMode): void {
    const due = mode === "full" ? this.#truncate : this.#due();
    if (due !== undefined) this.#run(due);
  }

  /**
   * Removes the content of removed and overwritten rows from the log, from the database, and from the memory of SQLite.
   * Throws as {@link checkpoint}, or an error of the file system.
   */
  erase(): void {
    this.#run(this.#truncate);
    if (this.#moved.overwrite()) this.#db.pragma("shrink_memory");
    this.#freed.overwrite();
  }

  /** Closes the database. */
  close(): void {
    this.#db.close();
    this.#moved.close();
  }

  /** The bytes that the next checkpoint copies to the database. */
  pendingBytes(): number {
    this.#refresh();
    return this.mostPendingBytes();
  }

  /**
   * An upper bound of {@link pendingBytes} that does not query SQLite. One query for each group took a tenth of the
   * time of a Put.
   */
  mostPendingBytes(): number {
    return (this.#state.log - this.#state.checkpointed) * this.#frameBytes + this.#added;
  }

  #run(checkpoint: Checkpoint): void {
    this.#moved.collect(this.committedFrames());
    run(checkpoint);
    this.#refresh();
  }

  #logBytes(): number {
    return this.#state.log * this.#frameBytes + this.#added;
  }

  #refresh(): void {
    this.#state = stateAfter(this.#look);
    this.#added = 0;
  }

  #due(): Checkpoint | undefined {
    if (this.mostPendingBytes() < PASSIVE_BYTES && this.#logBytes() < TRUNCATE_BYTES) return undefined;
    const pending = this.pendingBytes();
    if (this.#logBytes() >= TRUNCATE_BYTES) return this.#truncate;
    return pending >= PASSIVE_BYTES ? this.#passive : undefined;
  }
}

function stateAfter(checkpoint: Checkpoint): LogState {
  return checkpoint.get() as LogState; // the pragma always returns one row
}

function run(checkpoint: Checkpoint): void {
  const { busy, log, checkpointed } = stateAfter(checkpoint);
  if (busy === 0 && log === checkpointed) return;
  throw new Error(`the checkpoint is incomplete: busy ${busy}, ${checkpointed} of ${log} pages`);
}

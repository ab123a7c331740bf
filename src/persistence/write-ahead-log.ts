import type Database from "better-sqlite3";
import type { CheckpointMode } from "../store/journal.ts";
import { FRAME_HEADER_BYTES } from "./log-frame.ts";

/** From this much on, pages move from the log into the database as soon as nobody waits. */
const PASSIVE_BYTES = 4 * 1024 * 1024;

/** From this much on, the log is also cut to nothing: a large one makes the next start slow. */
const TRUNCATE_BYTES = 64 * 1024 * 1024;

/** What `PRAGMA wal_checkpoint` answers: pages in the log, and how many of them are in the database. */
interface LogState {
  readonly busy: number;
  readonly log: number;
  readonly checkpointed: number;
}

type Checkpoint = Database.Statement<[], LogState>;

/**
 * SQLite's log of committed pages, and its checkpoints. Every result is looked at: a checkpoint that fails is how a
 * dying disk first shows. Its size comes from SQLite, never from the file (database.ts says why).
 */
export class WriteAheadLog {
  readonly #look: Checkpoint;
  readonly #passive: Checkpoint;
  readonly #truncate: Checkpoint;
  readonly #frameBytes: number;
  /** As SQLite last told it. */
  #state: LogState;
  /** At most what commits have added since. */
  #added = 0;

  constructor(db: Database.Database) {
    this.#look = db.prepare("PRAGMA wal_checkpoint(NOOP)");
    this.#passive = db.prepare("PRAGMA wal_checkpoint(PASSIVE)");
    this.#truncate = db.prepare("PRAGMA wal_checkpoint(TRUNCATE)");
    this.#frameBytes = (db.pragma("page_size", { simple: true }) as number) + FRAME_HEADER_BYTES;
    this.#state = stateAfter(this.#look);
  }

  /** How many frames of the log are committed, as SQLite has it. */
  committedFrames(): number {
    this.#ask();
    return Math.max(0, this.#state.log);
  }

  /** A commit added at most so many bytes. SQLite is asked again only when that can make a difference. */
  added(bytes: number): void {
    this.#added += bytes;
  }

  /** Does what the mode asks. Throws when the disk fails, or when another connection is in the way. */
  checkpoint(mode: CheckpointMode): void {
    const due = mode === "full" ? this.#truncate : this.#due();
    if (due === undefined) return;
    run(due);
    this.#ask();
  }

  /** Bytes that the next checkpoint moves into the database. */
  pendingBytes(): number {
    this.#ask();
    return this.mostPendingBytes();
  }

  /** The same or more, without asking SQLite: a question a group was a tenth of what a Put cost. */
  mostPendingBytes(): number {
    return (this.#state.log - this.#state.checkpointed) * this.#frameBytes + this.#added;
  }

  #logBytes(): number {
    return this.#state.log * this.#frameBytes + this.#added;
  }

  #ask(): void {
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
  return checkpoint.get() as LogState; // the pragma always answers with one row
}

function run(checkpoint: Checkpoint): void {
  const { busy, log, checkpointed } = stateAfter(checkpoint);
  if (busy === 0 && log === checkpointed) return;
  throw new Error(`the checkpoint is incomplete: busy ${busy}, ${checkpointed} of ${log} pages`);
}

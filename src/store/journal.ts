import type { Change } from "./change.ts";
import type { OperationResult } from "./command.ts";
import type { Revision } from "./revision.ts";
import type { TimelineStart } from "./timelines.ts";

/** All changes of one command. They become durable together and share one revision. */
export interface JournalEntry<Sealed = Buffer> {
  readonly changes: readonly Change<Sealed>[];
  /** What happens to the remembered requests in the same transaction; undefined if nothing does. */
  readonly requests: RequestChange | undefined;
}

/**
 * - remember: a request with a request_id was answered. It can be the whole entry, if the request had nothing to change.
 * - forget: removes the requests that were answered before this time.
 */
export type RequestChange =
  | { readonly kind: "remember"; readonly request: AnsweredRequest }
  | { readonly kind: "forget"; readonly before: number };

/** A request with a request_id, and its answer. */
export interface AnsweredRequest {
  /** The SPIFFE ID of the caller. */
  readonly caller: string;
  /** A UUID in lower case. */
  readonly id: string;
  /** A keyed hash of the request (32 bytes), so that the id can't be used for another one. */
  readonly digest: Buffer;
  /** When it was answered, in milliseconds since the epoch. */
  readonly time: number;
  readonly results: readonly OperationResult[];
  /** The revision of the answer; undefined if it is that of the entry. */
  readonly revision: Revision | undefined;
}

/** A durable entry. */
export interface CommittedEntry<Sealed = Buffer> extends JournalEntry<Sealed> {
  readonly revision: Revision;
  /**
   * Tombstones of purges up to this revision may have been forgotten before the journal was loaded. Only a loaded entry
   * has it.
   */
  readonly forgotten?: Revision;
  /** The timeline that begins with this entry, at the latest. */
  readonly timeline?: TimelineStart | undefined;
}

/**
 * The outcome of the commit of a group.
 * - committed: all entries are durable. `revisions` has one revision for each, ascending. `timeline` is the
 *   timeline that begins with the first entry; undefined if none does.
 * - stale: no entry is applied, because other replicas changed the store after `validatedAt`. Wait until the journal
 *   has delivered the revision `catchUpTo` to the listener of `onFeed`.
 * - rejected: no entry is applied, because the disk is full. `cause` has details for the log.
 * - unknown: the entries may or may not be on disk. This process must not publish or write anything more.
 */
export type CommitOutcome =
  | { readonly kind: "committed"; readonly revisions: readonly Revision[]; readonly timeline?: TimelineStart }
  | { readonly kind: "stale"; readonly catchUpTo: Revision }
  | { readonly kind: "rejected"; readonly cause: unknown; readonly shortage: Shortage }
  | { readonly kind: "unknown"; readonly cause: unknown };

/** The space that a rejected commit needs, in bytes. `free` is the file system's free space; a quota may allow less. */
export interface Shortage {
  readonly free: number;
  readonly needed: number;
}

/** The space for the next commit, in bytes: the free space, and the space that the smallest change requires. */
export interface CommitSpace {
  readonly free: number;
  readonly reserve: number;
}

/**
 * Makes the store's changes durable. It is the store's only interface to the disk. In this release one process owns the
 * journal. A database that several replicas share can implement the same interface (docs/decisions/0002).
 */
export interface Journal {
  /**
   * Returns all durable entries in revision order, in chunks, so that a long load does not block other work. The
   * timelines follow, in entries without changes. Called once, before the first commit. Throws if the stored entries
   * can't be trusted.
   */
  load(): AsyncIterable<readonly CommittedEntry[]>;

  /**
   * Makes a group durable, completely or not at all. `validatedAt` is the revision of the memory that the group was
   * validated against. Never called while another commit is in progress. Does not reject: every result is an outcome.
   */
  commit(group: readonly JournalEntry[], validatedAt: Revision): Promise<CommitOutcome>;

  /**
   * Calls `listener` with the entries of other replicas, in revision order. A journal with one writer never calls it.
   */
  onFeed(listener: (entries: readonly CommittedEntry[]) => void): void;

  /**
   * Moves committed changes from the log to the database. It can be slow and is called when no call is waiting. A full
   * disk only postpones it. Throws if the disk fails; the journal must not be used after that.
   */
  checkpoint(mode: CheckpointMode): void;

  /**
   * Removes from the log, and from the database, the content that committed changes have destroyed or purged. After a
   * successful call, no file of the journal contains this content. Throws if the disk fails; the journal must not be
   * used after that. Returns false if the disk is too full, in which case the content may still be in the log.
   */
  erase(): boolean;

  /**
   * What would prevent the next commit, as far as can be determined without writing; undefined if nothing would. For
   * probes: a commit does its own checks.
   */
  obstacle(): string | undefined;

  /** The space for the next commit; undefined if the journal needs no disk. */
  space(): CommitSpace | undefined;

  /**
   * Why this process can no longer write, such as a lost lock; undefined if no reason is known. After a loss the
   * journal must not be used, because another process may have the database open.
   */
  loss(): string | undefined;

  /**
   * Closes the journal. Does nothing after a commit with an unknown outcome, a failed checkpoint or a loss: closing a
   * database writes to its files.
   */
  close(): void;
}

/** `due`: only if the log is large enough. `full`: the whole log, when a store is created and at shutdown. */
export type CheckpointMode = "due" | "full";

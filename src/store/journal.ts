import type { Change } from "./change.ts";

/**
 * The position of a change in the order of all changes of the store. The journal assigns it at the commit: strictly
 * increasing, gaps allowed. 0 is the empty store. A safe integer.
 */
export type Revision = number;

/** All changes of one RPC: they become durable together and share one revision. */
export interface JournalEntry {
  readonly changes: readonly Change[];
}

/** An entry that is durable. */
export interface CommittedEntry extends JournalEntry {
  readonly revision: Revision;
}

/**
 * What became of a group of entries.
 * - committed: all of them are durable; `revisions` has one for each, ascending.
 * - stale: none is applied; others changed the store after `validatedAt`. Wait for the feed to reach `catchUpTo`.
 * - rejected: none is applied, because there is no room; the cause says more, for the log.
 * - unknown: a restart may or may not find them. Nothing may be published or written by this process any more.
 */
export type CommitOutcome =
  | { readonly kind: "committed"; readonly revisions: readonly Revision[] }
  | { readonly kind: "stale"; readonly catchUpTo: Revision }
  | { readonly kind: "rejected"; readonly cause: unknown; readonly shortage: Shortage }
  | { readonly kind: "unknown"; readonly cause: unknown };

/** Room that a commit lacks, in bytes. `free` is what the file system tells; a quota may leave less. */
export interface Shortage {
  readonly free: number;
  readonly needed: number;
}

/** Room for the next commit, in bytes: what is free, and what must be for the smallest change to be taken. */
export interface Room {
  readonly free: number;
  readonly reserve: number;
}

/**
 * Where the store's changes become durable. The store knows nothing else of it; an engine that several replicas share
 * fits behind it as well as SQLite does (docs/decisions).
 */
export interface Journal {
  /**
   * Everything that is durable, in revision order, in chunks so that a long load leaves room for other work. Called
   * once, before the first commit. Throws when what is stored can't be trusted.
   */
  load(): AsyncIterable<readonly CommittedEntry[]>;

  /**
   * Makes a group durable, all of it or nothing. `validatedAt` is the revision of the memory that the group was
   * validated against. Never called while another commit is under way. Does not reject: every ending is an outcome.
   */
  commit(group: readonly JournalEntry[], validatedAt: Revision): Promise<CommitOutcome>;

  /** Calls `listener` with entries that others committed, in revision order. A journal with one writer never does. */
  onFeed(listener: (entries: readonly CommittedEntry[]) => void): void;

  /**
   * Folds what was committed into its final place. Called when nobody waits: it may be slow. A full disk only puts it off.
   * Throws when the disk fails; the journal must not be used after that.
   */
  checkpoint(mode: CheckpointMode): void;

  /**
   * What would keep the next change from being committed, as far as that can be told without writing; undefined when
   * nothing is in its way. For probes: a commit decides for itself.
   */
  obstacle(): string | undefined;

  /** The room for the next commit; undefined when the journal needs none. */
  room(): Room | undefined;

  /**
   * Why this process may no longer write, such as a lock that is gone; undefined: it may, as far as that shows. After a
   * loss the journal must not be used: another process may write what it reads.
   */
  loss(): string | undefined;

  /** Ends the journal in good order. */
  close(): void;
}

/** `due`: as much as is due without making anybody wait. `full`: everything, at the start and at the end. */
export type CheckpointMode = "due" | "full";

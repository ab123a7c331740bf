import { contention, diskFull, erasureUnknown, outcomeUnknown, shuttingDown } from "../domain/errors.ts";
import type { Timers } from "../domain/timers.ts";
import { erases } from "./apply-change.ts";
import { Draft, overwriteSealed } from "./draft.ts";
import { FairQueue } from "./fair-queue.ts";
import type { CommitOutcome, CommittedEntry, Journal, JournalEntry } from "./journal.ts";
import type { Revision } from "./revision.ts";
import type { StoreClock } from "./store-clock.ts";
import type { StoreState } from "./store-state.ts";
import type { Submission } from "./submission.ts";
import { type Verdict, type Waiting, entriesOf, takeGroup, validateAgain } from "./verdicts.ts";

// How many times a group is validated while other replicas commit first, before it fails with CONTENTION.
const MAX_ATTEMPTS = 8;

// The longest wait, after a stale commit, for the journal to deliver the changes of the other replicas (onFeed). The next
// attempt begins when they have arrived, or when this time is over.
const CATCH_UP_MS = 1000;

/** Observes the commits of a store. Durations are in seconds. */
export interface CommitObserver {
  /** A group was committed: the duration of the journal's commit, and the number of changes. */
  committed(seconds: number, changes: number): void;
  /** A command waited this long until its group began. */
  queued(seconds: number): void;
  /** The outcome of a commit is unknown. The process must end and do nothing else. */
  failed(cause: unknown): void;
}

type State = "idle" | "running" | "failed";

/** What a {@link GroupCommit} needs. */
export interface GroupCommitOptions {
  readonly state: StoreState;
  readonly journal: Journal;
  readonly observer: CommitObserver;
  readonly timers: Timers;
  readonly clock: StoreClock;
}

/** A command that is committed, and is answered when removed content is gone from memory and disk. */
interface Erasing {
  readonly waiting: Waiting;
  readonly answer: unknown;
}

const NOTHING_TO_COMMIT: CommitOutcome = { kind: "committed", revisions: [] };

/**
 * Turns commands into committed changes. The order is always: validate, commit, publish, answer. Only one group is in
 * progress at a time. Commands that arrive meanwhile are validated after it is published. The next group takes one command
 * of each caller in turn.
 */
export class GroupCommit {
  readonly #store: StoreState;
  readonly #journal: Journal;
  readonly #observer: CommitObserver;
  readonly #timers: Timers;
  readonly #clock: StoreClock;
  readonly #queue = new FairQueue<Waiting>();
  #state: State = "idle";
  /** Called when the queue is empty and nothing is being committed. */
  readonly #settled: (() => void)[] = [];
  readonly #feedListeners = new Set<() => void>();
  /**
   * The entries that the feed ({@link Journal.onFeed}) delivered since a commit began; undefined if no commit is in
   * progress. They are not published before the outcome of the commit is known: they can have higher revisions than the
   * commit. Memory ignores an entry with a lower revision than the last published one, so it would then ignore the
   * entries of the commit.
   */
  #fed: CommittedEntry[] | undefined;
  /**
   * Whether the files of the journal may contain removed content. True at first, because a process can end between the
   * commit that removes content and the erasure.
   */
  #isErasureDue = true;
  /** The commands that wait until removed content is gone from the memory of all threads. */
  readonly #erasing = new Set<Promise<void>>();

  constructor({ state, journal, observer, timers, clock }: GroupCommitOptions) {
    this.#store = state;
    this.#journal = journal;
    this.#observer = observer;
    this.#timers = timers;
    this.#clock = clock;
    journal.onFeed((entries) => {
      if (this.#fed === undefined) this.#publish(entries);
      else for (const entry of entries) this.#fed.push(entry);
    });
  }

  /** Resolves when the command's change is durable and published. Rejects with a CofferError if it is refused. */
  submit<T>(submission: Submission<T>): Promise<T> {
    if (this.#state === "failed") {
      submission.end();
      return Promise.reject(shuttingDown());
    }
    return new Promise<T>((resolve, reject) => {
      const since = this.#timers.elapsed();
      const waiting = { submission, since, resolve: resolve as (answer: unknown) => void, reject };
      this.#queue.add(submission.author, waiting);
      if (this.#state === "running") return;
      this.#state = "running";
      this.#timers.afterTurn(() => void this.#run());
    });
  }

  /** Resolves when every command that was submitted so far is answered. */
  async settled(): Promise<void> {
    if (this.#state === "running") await new Promise<void>((resolve) => this.#settled.push(resolve));
    await Promise.all(this.#erasing);
  }

  async #run(): Promise<void> {
    while (!this.#queue.isEmpty) {
      const verdicts = this.#takeGroup();
      await this.#settle(verdicts).catch((cause) => this.#fail(verdicts, cause));
      // Other work of this thread, such as reads, comes before the commands that wait for the next group.
      if (!this.#queue.isEmpty) await new Promise<void>((resolve) => this.#timers.afterTurn(resolve));
    }
    if (this.#state === "running") this.#state = "idle";
    for (const resolve of this.#settled.splice(0)) resolve();
  }

  #takeGroup(): readonly Verdict[] {
    const begun = this.#timers.elapsed();
    const verdicts = takeGroup(this.#queue, this.#draft());
    for (const { waiting } of verdicts) this.#observer.queued((begun - waiting.since) / 1000);
    return verdicts;
  }

  #draft(): Draft {
    return new Draft(this.#store.memory, this.#store.requests, this.#clock.now());
  }

  /** Commits a group, and answers its commands. */
  async #settle(first: readonly Verdict[]): Promise<void> {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const verdicts = attempt === 0 ? first : validateAgain(first, this.#draft());
      const outcome = await this.#commit(entriesOf(verdicts));
      switch (outcome.kind) {
        case "committed":
          this.#erase(this.#answer(verdicts, outcome.revisions));
          return;
        case "rejected":
          // Reject the whole group: a refusal, or a Delete that had nothing to do, can depend on a change that is now
          // lost. A command that depends on memory alone would not need the disk, but also gets DISK_FULL.
          refuse(waitingOf(first), diskFull(outcome.shortage, outcome.cause));
          return;
        case "unknown":
          this.#fail(first, outcome.cause);
          return;
        case "stale":
          await this.#caughtUp(outcome.catchUpTo);
      }
    }
    refuse(waitingOf(first), contention());
  }

  /** Commits the entries, then publishes them together with those that other replicas have committed. */
  async #commit(entries: readonly JournalEntry[]): Promise<CommitOutcome> {
    if (entries.length === 0) return NOTHING_TO_COMMIT;
    const begun = this.#timers.elapsed();
    const fed: CommittedEntry[] = [];
    this.#fed = fed;
    const outcome = await this.#journal.commit(entries, this.#store.revision);
    if (outcome.kind === "unknown") return outcome;
    this.#fed = undefined;
    const own = outcome.kind === "committed" ? committedEntries(entries, outcome) : [];
    if (own.length > 0) this.#observer.committed((this.#timers.elapsed() - begun) / 1000, own.length);
    this.#publish([...own, ...fed].sort(byRevision));
    for (const { changes } of entries) overwriteSealed(changes);
    return outcome;
  }

  /**
   * Publishes changes of this server and of other replicas, in revision order. After the store is loaded, nothing else
   * publishes changes to memory.
   */
  #publish(entries: readonly CommittedEntry[]): void {
    this.#store.publish(entries);
    for (const listener of this.#feedListeners) listener();
  }

  /**
   * Answers the callers. Refused commands are also answered only after the commit: a refusal can depend on an earlier
   * command of the group, and must not be visible before that command is durable. Returns the commands that are answered
   * after {@link #erase}.
   */
  #answer(verdicts: readonly Verdict[], revisions: readonly Revision[]): Erasing[] {
    let committed = 0;
    const erasing: Erasing[] = [];
    for (const verdict of verdicts) {
      const { waiting } = verdict;
      waiting.submission.end();
      if ("refusal" in verdict) {
        waiting.reject(verdict.refusal);
        continue;
      }
      const { plan } = verdict;
      const isChange = plan.kind === "change";
      const answer = isChange ? plan.answer(revisionAt(revisions, committed++)) : plan.answer(this.#store.memory);
      if (isChange && plan.entry.changes.some(erases)) this.#isErasureDue = true;
      if (plan.waitsForErasure) erasing.push({ waiting, answer });
      else waiting.resolve(answer);
    }
    return erasing;
  }

  /**
   * Removes destroyed, expired and purged content from the files of the journal, and waits until it is gone from
   * memory. If the disk is too full for that, the next group tries again.
   */
  #erase(erasing: readonly Erasing[]): void {
    if (this.#isErasureDue) this.#isErasureDue = !this.#journal.erase();
    if (erasing.length === 0) return;
    if (this.#isErasureDue) {
      for (const { waiting } of erasing) waiting.reject(erasureUnknown());
      return;
    }
    const done = this.#store.erased().then(() => {
      for (const { waiting, answer } of erasing) waiting.resolve(answer);
      this.#erasing.delete(done);
    });
    this.#erasing.add(done);
  }

  #fail(group: readonly Verdict[], cause: unknown): void {
    this.#state = "failed";
    refuse(waitingOf(group), outcomeUnknown(cause));
    refuse(this.#queue.clear(), shuttingDown());
    this.#observer.failed(cause);
  }

  /** Resolves when memory has reached a revision, which the feed delivers, or after {@link CATCH_UP_MS}. */
  #caughtUp(revision: Revision): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        cancel();
        this.#feedListeners.delete(listener);
        resolve();
      };
      const listener = () => {
        if (this.#store.revision >= revision) done();
      };
      const cancel = this.#timers.delay(CATCH_UP_MS, done);
      this.#feedListeners.add(listener);
      listener();
    });
  }
}

function committedEntries(
  entries: readonly JournalEntry[],
  { revisions, timeline }: CommitOutcome & { kind: "committed" },
): CommittedEntry[] {
  return entries.map(({ changes, requests }, i) => {
    const entry = { changes, requests, revision: revisionAt(revisions, i) };
    return i === 0 && timeline !== undefined ? { ...entry, timeline } : entry;
  });
}

/** A journal assigns one revision to each entry of a group. */
function revisionAt(revisions: readonly Revision[], index: number): Revision {
  const revision = revisions[index];
  if (revision === undefined) throw new Error(`the journal assigned ${revisions.length} revisions to more entries`);
  return revision;
}

function byRevision(left: CommittedEntry, right: CommittedEntry): number {
  return left.revision - right.revision;
}

function waitingOf(group: readonly Verdict[]): Waiting[] {
  return group.map(({ waiting }) => waiting);
}

function refuse(group: readonly Waiting[], error: unknown): void {
  for (const { submission, reject } of group) {
    submission.end();
    reject(error);
  }
}

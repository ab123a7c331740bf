import { contention, diskFull, outcomeUnknown, shuttingDown } from "../domain/errors.ts";
import type { Timers } from "../domain/timers.ts";
import { Draft } from "./draft.ts";
import type { CommitOutcome, CommittedEntry, Journal, JournalEntry, Revision } from "./journal.ts";
import type { Memory } from "./memory.ts";
import type { Operation, Plan } from "./operation.ts";

// How often a group is validated again because other replicas were faster, before its callers are asked to try later.
const MAX_ATTEMPTS = 8;

// How long to wait for the feed to bring what a commit missed, before the next validation finds out what is missing.
const CATCH_UP_MS = 1000;

/** What the store tells of its commits. Durations are seconds. */
export interface CommitObserver {
  /** A group was committed: how long the journal took, and how many changes it had. */
  committed(seconds: number, changes: number): void;
  /** An operation waited this long for its group to begin. */
  queued(seconds: number): void;
  /** The journal's outcome is unknown. The process must end without doing anything else. */
  failed(cause: unknown): void;
}

type State = "idle" | "running" | "failed";

interface Waiting {
  readonly operation: Operation<unknown>;
  readonly since: number;
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** What becomes of an operation in a group. */
type Verdict = { readonly waiting: Waiting } & ({ readonly plan: Plan<unknown> } | { readonly refusal: unknown });

const NOTHING_TO_COMMIT: CommitOutcome = { kind: "committed", revisions: [] };

/**
 * Turns operations into committed changes: validate, commit, publish, answer, in this order and never another. One group
 * is under way at most; what arrives meanwhile is validated after its publication.
 */
export class GroupCommit {
  readonly #memory: Memory;
  readonly #journal: Journal;
  readonly #observer: CommitObserver;
  readonly #timers: Timers;
  #queue: Waiting[] = [];
  #state: State = "idle";
  readonly #feedListeners = new Set<() => void>();
  /**
   * What the feed has brought since a commit began; undefined when none is under way. It may be ahead of that commit,
   * whose outcome is yet to be heard, and memory passes over what is behind it.
   */
  #fed: CommittedEntry[] | undefined;

  constructor(memory: Memory, journal: Journal, observer: CommitObserver, timers: Timers) {
    this.#memory = memory;
    this.#journal = journal;
    this.#observer = observer;
    this.#timers = timers;
    journal.onFeed((entries) => {
      if (this.#fed === undefined) this.#publish(entries);
      else for (const entry of entries) this.#fed.push(entry);
    });
  }

  /** Resolves when the operation's change is durable and published; rejects with a CofferError when it is refused. */
  submit<T>(operation: Operation<T>): Promise<T> {
    if (this.#state === "failed") return Promise.reject(shuttingDown());
    return new Promise<T>((resolve, reject) => {
      const since = this.#timers.elapsed();
      this.#queue.push({ operation, since, resolve: resolve as (answer: unknown) => void, reject });
      if (this.#state === "running") return;
      this.#state = "running";
      this.#timers.afterTurn(() => void this.#run());
    });
  }

  async #run(): Promise<void> {
    while (this.#queue.length > 0) {
      const group = this.#queue;
      this.#queue = [];
      const begun = this.#timers.elapsed();
      for (const { since } of group) this.#observer.queued((begun - since) / 1000);
      await this.#settle(group).catch((cause) => this.#fail(group, cause));
    }
    if (this.#state === "running") this.#state = "idle";
  }

  async #settle(group: readonly Waiting[]): Promise<void> {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const verdicts = this.#validate(group);
      const entries = verdicts.flatMap(entryOf);
      const outcome = await this.#commit(entries);
      switch (outcome.kind) {
        case "committed":
          this.#answer(verdicts, outcome.revisions);
          return;
        case "rejected":
          // All of the group: a refusal, or a delete that found all deleted, may rest on a change that is lost now. One
          // that rests on memory alone would not need the disk, and hears of the full disk all the same.
          refuse(group, diskFull(outcome.shortage, outcome.cause));
          return;
        case "unknown":
          this.#fail(group, outcome.cause);
          return;
        case "stale":
          await this.#caughtUp(outcome.catchUpTo);
      }
    }
    refuse(group, contention());
  }

  /** In the order of arrival, each against memory and what was accepted before it. A refused one leaves no trace. */
  #validate(group: readonly Waiting[]): Verdict[] {
    const draft = new Draft(this.#memory, this.#timers.clock);
    return group.map((waiting) => {
      try {
        return { waiting, plan: waiting.operation.plan(draft) };
      } catch (refusal) {
        return { waiting, refusal };
      }
    });
  }

  /** Commits, and publishes what was committed meanwhile, here and elsewhere. */
  async #commit(entries: readonly JournalEntry[]): Promise<CommitOutcome> {
    if (entries.length === 0) return NOTHING_TO_COMMIT;
    const begun = this.#timers.elapsed();
    const fed: CommittedEntry[] = [];
    this.#fed = fed;
    const outcome = await this.#journal.commit(entries, this.#memory.revision);
    if (outcome.kind === "unknown") return outcome;
    this.#fed = undefined;
    const own = outcome.kind === "committed" ? withRevisions(entries, outcome.revisions) : [];
    if (own.length > 0) this.#observer.committed((this.#timers.elapsed() - begun) / 1000, own.length);
    this.#publish([...own, ...fed].sort(byRevision));
    return outcome;
  }

  /** The one place where changes reach memory, our own and others', in revision order. */
  #publish(entries: readonly CommittedEntry[]): void {
    this.#memory.publish(entries);
    for (const listener of this.#feedListeners) listener();
  }

  /**
   * Refusals are answered here as well, after the commit: a refusal may rest on an earlier operation of the group, and
   * must not be heard of before that operation is durable.
   */
  #answer(verdicts: readonly Verdict[], revisions: readonly Revision[]): void {
    let committed = 0;
    for (const verdict of verdicts) {
      const { waiting } = verdict;
      if ("refusal" in verdict) waiting.reject(verdict.refusal);
      else if (verdict.plan.kind === "change") waiting.resolve(verdict.plan.answer(revisionAt(revisions, committed++)));
      else waiting.resolve(verdict.plan.answer(this.#memory));
    }
  }

  #fail(group: readonly Waiting[], cause: unknown): void {
    this.#state = "failed";
    refuse(group, outcomeUnknown(cause));
    refuse(this.#queue, shuttingDown());
    this.#queue = [];
    this.#observer.failed(cause);
  }

  /** Until the feed has brought a revision, or has had time enough for it. */
  #caughtUp(revision: Revision): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        cancel();
        this.#feedListeners.delete(listener);
        resolve();
      };
      const listener = () => {
        if (this.#memory.revision >= revision) done();
      };
      const cancel = this.#timers.delay(CATCH_UP_MS, done);
      this.#feedListeners.add(listener);
      listener();
    });
  }
}

function entryOf(verdict: Verdict): JournalEntry[] {
  return "plan" in verdict && verdict.plan.kind === "change" ? [verdict.plan.entry] : [];
}

function withRevisions(entries: readonly JournalEntry[], revisions: readonly Revision[]): CommittedEntry[] {
  return entries.map((entry, i) => ({ ...entry, revision: revisionAt(revisions, i) }));
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

function refuse(group: readonly Waiting[], error: unknown): void {
  for (const { reject } of group) reject(error);
}

import type { Change } from "../../src/store/change.ts";
import type { CommitOutcome, CommittedEntry, Journal, JournalEntry } from "../../src/store/journal.ts";
import type { Revision } from "../../src/store/revision.ts";

/**
 * A journal that is shared with imaginary other replicas. A commit is stale if another replica has committed since it
 * was validated, and the feed delivers the commits of the other replicas. The class implements {@link Journal} and
 * nothing more, which proves that the store needs nothing more.
 */
export class ScriptedJournal implements Journal {
  readonly entries: CommittedEntry[] = [];
  /** The number of entries of each commit. */
  readonly groups: number[] = [];
  /** Called before each commit is decided. If it calls {@link commitElsewhere}, the commit becomes stale. */
  beforeCommit: () => void | Promise<void> = () => {};
  /** Replaces the outcomes of the next commits, in order. */
  readonly outcomes: CommitOutcome[] = [];
  /** The number of calls of {@link erase}, and what they return. */
  erasures = 0;
  canErase = true;
  #listener: (entries: readonly CommittedEntry[]) => void = () => {};
  #unfed: CommittedEntry[] = [];

  get revision(): Revision {
    return this.entries.at(-1)?.revision ?? 0;
  }

  async *load(): AsyncGenerator<readonly CommittedEntry[]> {
    yield this.entries.map(copied);
  }

  async commit(group: readonly JournalEntry[], validatedAt: Revision): Promise<CommitOutcome> {
    await this.beforeCommit();
    const scripted = this.outcomes.shift();
    if (scripted !== undefined) return scripted;
    if (validatedAt !== this.revision) return { kind: "stale", catchUpTo: this.revision };
    this.groups.push(group.length);
    return { kind: "committed", revisions: group.map((entry) => this.#append(entry).revision) };
  }

  onFeed(listener: (entries: readonly CommittedEntry[]) => void): void {
    this.#listener = listener;
  }

  /** Commits an entry of another replica. The feed delivers it when {@link feed} is called. */
  commitElsewhere(entry: JournalEntry): void {
    this.#unfed.push(this.#append(entry));
  }

  /** Delivers the commits of other replicas, or the given entries. */
  feed(entries: readonly CommittedEntry[] = this.#unfed.splice(0)): void {
    this.#listener(entries);
  }

  checkpoint(): void {}

  erase(): boolean {
    this.erasures += 1;
    return this.canErase;
  }

  obstacle(): undefined {}

  space(): undefined {}

  loss(): undefined {}

  close(): void {}

  // Revisions have gaps, which the interface allows.
  #append(entry: JournalEntry): CommittedEntry {
    const committed = copied({ ...entry, revision: this.revision + 3 });
    this.entries.push(committed);
    return committed;
  }
}

/** The store overwrites the sealed contents of an entry after its commit. */
function copied(entry: CommittedEntry): CommittedEntry {
  const change = (one: Change): Change => (one.kind === "put" ? { ...one, sealed: Buffer.from(one.sealed) } : one);
  return { ...entry, changes: entry.changes.map(change) };
}

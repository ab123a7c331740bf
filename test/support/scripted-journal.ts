import type { CommitOutcome, CommittedEntry, Journal, JournalEntry, Revision } from "../../src/store/journal.ts";

/**
 * A journal shared with imaginary other replicas: it goes stale when they were faster, and feeds what they wrote. It
 * keeps the promise of {@link Journal} and nothing more, so it proves that the store needs nothing more.
 */
export class ScriptedJournal implements Journal {
  readonly entries: CommittedEntry[] = [];
  /** How many entries each commit brought. */
  readonly groups: number[] = [];
  /** Called before each commit is decided; what it commits through {@link commitElsewhere} makes the commit stale. */
  beforeCommit: () => void | Promise<void> = () => {};
  /** Replaces the outcome of the next commits, in order. */
  readonly outcomes: CommitOutcome[] = [];
  #listener: (entries: readonly CommittedEntry[]) => void = () => {};
  #unfed: CommittedEntry[] = [];

  get revision(): Revision {
    return this.entries.at(-1)?.revision ?? 0;
  }

  async *load(): AsyncGenerator<readonly CommittedEntry[]> {
    yield [...this.entries];
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

  /** Another replica commits an entry; the feed brings it when {@link feed} is called. */
  commitElsewhere(entry: JournalEntry): void {
    this.#unfed.push(this.#append(entry));
  }

  /** Brings what other replicas committed, or the given entries. */
  feed(entries: readonly CommittedEntry[] = this.#unfed.splice(0)): void {
    this.#listener(entries);
  }

  checkpoint(): void {}

  obstacle(): undefined {}

  space(): undefined {}

  loss(): undefined {}

  close(): void {}

  // Revisions have gaps, as the interface allows.
  #append(entry: JournalEntry): CommittedEntry {
    const committed = { ...entry, revision: this.revision + 3 };
    this.entries.push(committed);
    return committed;
  }
}

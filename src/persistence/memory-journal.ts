import type { CommitOutcome, CommittedEntry, Journal, JournalEntry, Revision } from "../store/journal.ts";

/** A journal that keeps nothing: the store lives as long as its process. For tests, and for `--store memory`. */
export class MemoryJournal implements Journal {
  #lastRevision: Revision = 0;

  async *load(): AsyncGenerator<readonly CommittedEntry[]> {}

  commit(group: readonly JournalEntry[]): Promise<CommitOutcome> {
    const revisions = group.map(() => ++this.#lastRevision);
    return Promise.resolve({ kind: "committed", revisions });
  }

  onFeed(): void {}

  checkpoint(): void {}

  obstacle(): undefined {}

  room(): undefined {}

  loss(): undefined {}

  close(): void {}
}

import type { CommitOutcome, CommittedEntry, Journal, JournalEntry } from "../store/journal.ts";
import type { Revision } from "../store/revision.ts";
import { assignRevisions } from "./assigned-revisions.ts";

/** A journal that stores nothing: all secrets are lost when the process ends. For tests, and for `--store memory`. */
export class MemoryJournal implements Journal {
  #lastRevision: Revision = 0;

  async *load(): AsyncGenerator<readonly CommittedEntry[]> {}

  commit(group: readonly JournalEntry[]): Promise<CommitOutcome> {
    const revisions = assignRevisions(group, this.#lastRevision).map(({ revision }) => revision);
    this.#lastRevision = revisions.at(-1) ?? this.#lastRevision;
    return Promise.resolve({ kind: "committed", revisions });
  }

  onFeed(): void {}

  checkpoint(): void {}

  erase(): boolean {
    return true;
  }

  obstacle(): undefined {}

  space(): undefined {}

  loss(): undefined {}

  close(): void {}
}

import type { CommitOutcome, CommittedEntry, Journal, JournalEntry } from "../store/journal.ts";
import { type RandomFill, secureRandom } from "../sealing/random.ts";
import type { Revision } from "../store/revision.ts";
import type { TimelineStart } from "../store/timelines.ts";
import { assignRevisions } from "./assigned-revisions.ts";
import { newTimeline, textOf } from "./timeline-rows.ts";

/** A journal that stores nothing: all secrets are lost when the process ends. For tests, and for `--store memory`. */
export class MemoryJournal implements Journal {
  readonly #timeline: TimelineStart;
  #lastRevision: Revision = 0;

  constructor(random: RandomFill = secureRandom) {
    this.#timeline = { first: 0, id: textOf(newTimeline(random)) };
  }

  async *load(): AsyncGenerator<readonly CommittedEntry[]> {
    yield [{ revision: 0, changes: [], requests: undefined, timeline: this.#timeline }];
  }

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

import { MemoryJournal } from "../../src/persistence/memory-journal.ts";
import type { CommitOutcome, JournalEntry } from "../../src/store/journal.ts";
import type { Revision } from "../../src/store/revision.ts";
import type { SimulatedThread } from "../support/simulated-threads.ts";
import type { SystemParts } from "./threads-system.ts";

/** The maximum duration of a commit, in milliseconds. Other threads run meanwhile. */
const LONGEST_COMMIT_MS = 8;

/** A journal whose commits take a random time, and which rejects some of them as on a full disk. Revisions have gaps. */
export class SlowJournal extends MemoryJournal {
  readonly #parts: SystemParts;
  readonly #thread: SimulatedThread;
  #revision: Revision = 0;

  constructor(parts: SystemParts, thread: SimulatedThread) {
    super();
    this.#parts = parts;
    this.#thread = thread;
  }

  override commit(group: readonly JournalEntry[]): Promise<CommitOutcome> {
    const outcome = this.#parts.simulation.chance(0.1) ? this.#reject() : this.#accept(group);
    const ms = this.#parts.simulation.below(LONGEST_COMMIT_MS);
    return new Promise((resolve) => void this.#thread.timers.delay(ms, () => resolve(outcome)));
  }

  #accept(group: readonly JournalEntry[]): CommitOutcome {
    const revisions = group.map(({ changes }) => {
      const rows = Math.max(1, changes.filter(({ kind }) => kind === "put").length);
      this.#revision += rows + this.#parts.simulation.below(3);
      return this.#revision;
    });
    return { kind: "committed", revisions };
  }

  #reject(): CommitOutcome {
    this.#parts.seen.add("rejected");
    return { kind: "rejected", cause: new Error("full"), shortage: { free: 0, needed: 1 } };
  }
}

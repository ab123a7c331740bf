import type { Draft } from "./draft.ts";
import type { JournalEntry } from "./journal.ts";
import type { Revision } from "./revision.ts";
import type { ReadableMemory } from "./memory.ts";

/**
 * A command for the next group. `plan` validates it against the draft, and throws a CofferError if it is refused. `plan`
 * is called again with another draft if another replica committed first.
 */
export interface Submission<T> {
  /** The SPIFFE ID of the caller; empty if the server makes the change. */
  readonly author: string;
  plan(draft: Draft): Plan<T>;
  /** The command is answered and will not be planned again. Overwrites the secret values that it contains. */
  end(): void;
}

/** What an accepted command will do, and how its caller will be answered. */
export type Plan<T> = ChangePlan<T> | UnchangedPlan<T>;

interface Planned {
  /** Whether the answer waits until removed content is gone from memory and disk. */
  readonly waitsForErasure: boolean;
}

/** There is an entry to commit. */
interface ChangePlan<T> extends Planned {
  readonly kind: "change";
  readonly entry: JournalEntry;
  readonly answer: (revision: Revision) => T;
}

/** There is nothing to commit. The answer comes from memory, after the changes of the group are published. */
interface UnchangedPlan<T> extends Planned {
  readonly kind: "unchanged";
  readonly answer: (memory: ReadableMemory) => T;
}

import type { Timers } from "../domain/timers.ts";
import type { Journal } from "../store/journal.ts";

/** Milliseconds between two checks. A check takes about 0.1 ms. */
const PAUSE_MS = 1000;

/** The dependencies of {@link watchOwnership}. */
export interface OwnershipOptions {
  readonly journal: Journal;
  readonly timers: Timers;
  /** Called once, when another process may have access to the journal. */
  readonly onLost: (cause: Error) => void;
}

/**
 * Checks every second that this process still has exclusive access to the journal. Returns a function that stops it.
 */
export function watchOwnership({ journal, timers, onLost }: OwnershipOptions): () => void {
  let cancel = timers.delay(PAUSE_MS, check);
  function check(): void {
    const loss = journal.loss();
    if (loss !== undefined) onLost(new Error(loss));
    else cancel = timers.delay(PAUSE_MS, check);
  }
  return () => cancel();
}

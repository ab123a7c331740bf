import type { Timers } from "../domain/timers.ts";
import type { Journal } from "../store/journal.ts";

/** Milliseconds between two looks; each takes about a tenth of one. */
const PAUSE_MS = 1000;

/** What the watch needs. */
export interface OwnershipOptions {
  readonly journal: Journal;
  readonly timers: Timers;
  /** The journal is no longer this process's alone. Called once. */
  readonly onLost: (cause: Error) => void;
}

/** Looks every second whether the journal still belongs to this process alone. Returns what ends it. */
export function watchOwnership({ journal, timers, onLost }: OwnershipOptions): () => void {
  let cancel = timers.delay(PAUSE_MS, look);
  function look(): void {
    const loss = journal.loss();
    if (loss !== undefined) onLost(new Error(loss));
    else cancel = timers.delay(PAUSE_MS, look);
  }
  return () => cancel();
}

import type { CommittedEntry, JournalEntry } from "../store/journal.ts";
import type { Revision } from "../store/revision.ts";

/**
 * Assigns revisions to the entries of a group. Each put takes a row, and the revision of an entry is the number of its
 * last row (see rowsBefore of a put). An entry without a put takes one number, too.
 */
export function assignRevisions(group: readonly JournalEntry[], last: Revision): CommittedEntry[] {
  let revision = last;
  return group.map((entry) => {
    revision += Math.max(1, putsOf(entry));
    return { changes: entry.changes, requests: entry.requests, revision };
  });
}

function putsOf({ changes }: JournalEntry): number {
  return changes.reduce((count, { kind }) => count + (kind === "put" ? 1 : 0), 0);
}

import { readMetrics } from "./metrics-page.ts";

/** The commits of a Coffer server since its start, from its metrics. */
export interface Commits {
  readonly groups: number;
  readonly changes: number;
  /** Time of the transactions in seconds, including the syncs. The store thread does nothing else during them. */
  readonly seconds: number;
}

/** Reads the commits of the server with this ops port. */
export async function readCommits(opsPort: number): Promise<Commits> {
  const value = await readMetrics(opsPort);
  return {
    groups: value("coffer_commit_changes_count"),
    changes: value("coffer_commit_changes_sum"),
    seconds: value("coffer_commit_seconds_sum"),
  };
}

/** The commits between two readings. */
export function commitsBetween(from: Commits, to: Commits): Commits {
  return {
    groups: to.groups - from.groups,
    changes: to.changes - from.changes,
    seconds: to.seconds - from.seconds,
  };
}

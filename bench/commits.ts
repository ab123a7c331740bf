/** The commits of a Coffer since its start, from its metrics. */
export interface Commits {
  readonly groups: number;
  readonly changes: number;
  /** Time of the transactions in seconds, including the syncs. The store thread does nothing else during them. */
  readonly seconds: number;
}

/** Reads the commits of the server with this ops port. */
export async function readCommits(opsPort: number): Promise<Commits> {
  const page = await (await fetch(`http://127.0.0.1:${opsPort}/metrics`)).text();
  const value = (sample: string) => {
    const text = new RegExp(`^${sample} (\\S+)$`, "m").exec(page)?.[1];
    if (text === undefined) throw new Error(`the metrics have no ${sample}`);
    return Number(text);
  };
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

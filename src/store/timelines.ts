import type { Revision } from "./revision.ts";

/**
 * The id of a timeline: the commits of one run of the server. It is a random text that the run has chosen. If a revision
 * is on the same timeline in two stores, both have the same changes up to this revision.
 */
export type TimelineId = string;

/** Where a timeline begins. It ends where the next one begins. */
export interface TimelineStart {
  /**
   * The revision after the last one of the earlier timeline. The first commit can have a higher one, because a commit with
   * several puts takes a revision for each of them. Those below the revision of the commit may exist on the timeline of
   * another store, with other changes.
   */
  readonly first: Revision;
  readonly id: TimelineId;
}

/**
 * The timelines of a store. They detect that the store was replaced by an older copy of itself: the copy does not know the
 * runs that came after it, and the run that begins with the copy has a timeline of its own.
 */
export class Timelines {
  /** Ascending. */
  readonly #starts: TimelineStart[] = [];

  /** Adds a timeline that begins after the known ones. Ignores one that is known. */
  begin(start: TimelineStart): void {
    const last = this.#starts.at(-1);
    if (last === undefined || start.first > last.first) this.#starts.push(start);
  }

  /** The timeline of a revision that the store has reached; undefined if it is older than those that are known. */
  at(revision: Revision): TimelineId | undefined {
    let low = 0;
    let high = this.#starts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#starts[middle]?.first ?? 0) <= revision) low = middle + 1;
      else high = middle;
    }
    return this.#starts[low - 1]?.id;
  }
}

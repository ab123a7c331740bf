import type { WatchableMemory } from "../store/memory.ts";
import type { Revision } from "../store/revision.ts";
import type { TimelineId } from "../store/timelines.ts";

/** A revision, and the timeline that identifies its changes. */
export interface TimelinePosition {
  readonly revision: Revision;
  readonly timeline: TimelineId;
}

/** From where a watch continues. */
export interface Bookmark {
  /** The caller knows everything up to this revision; 0 for a snapshot. */
  readonly revision: Revision;
  /** The fingerprint of the policy that the caller knows; empty if it does not know any. */
  readonly policy: string;
  /**
   * The newest change that the caller knows. It can be newer than `revision`: events arrive after the last SYNCED or
   * heartbeat. Its timeline is empty if the caller does not know it.
   */
  readonly seen: TimelinePosition;
}

/**
 * The policy of a heartbeat while the effect of a policy change is being sent. It equals no fingerprint, so a watcher that
 * reconnects with it gets a snapshot.
 */
export const POLICY_CHANGING = "-";

/**
 * The timeline of a revision that is older than those that the store knows. It equals no id, so a watcher that reconnects
 * with it gets a snapshot.
 */
const UNKNOWN_TIMELINE: TimelineId = "-";

/** The position of a revision that the store has reached. */
export function positionOf(revision: Revision, memory: Pick<WatchableMemory, "timelineAt">): TimelinePosition {
  return { revision, timeline: memory.timelineAt(revision) ?? UNKNOWN_TIMELINE };
}

/**
 * Whether what has changed since a bookmark is all that the caller misses: the policy is the current one, the store has
 * the newest change that the caller knows, and the tombstone of each purge after the revision. An empty policy or timeline
 * is not compared. A caller that begins with a snapshot needs none of this.
 */
export function canContinue(memory: WatchableMemory, from: Bookmark, policy: string): boolean {
  if (from.revision === 0) return true;
  if (from.policy !== "" && from.policy !== policy) return false;
  return isKnown(memory, from.seen) && from.revision >= memory.forgotten;
}

function isKnown(memory: WatchableMemory, { revision, timeline }: TimelinePosition): boolean {
  return timeline === "" || (revision <= memory.revision && timeline === memory.timelineAt(revision));
}

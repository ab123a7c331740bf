import type { Revision } from "../store/revision.ts";
import type { Stored } from "../store/secret.ts";
import type { Sight } from "./sight.ts";

/** What a watcher was allowed to see, and the revisions of the store when that began and ended. */
export interface EarlierSight {
  readonly sight: Sight;
  readonly since: Revision;
  readonly until: Revision;
}

/** More than this number of changes of the policy that a watcher has not followed need a snapshot. */
export const MOST_EARLIER_SIGHTS = 8;

/**
 * The sights under which a watcher was sent what it knows. After a policy change, what it knows is that of the sight
 * before. If the policy changes again while the difference is being sent, it can know any part of the difference.
 */
export class EarlierSights {
  readonly #sights: EarlierSight[] = [];

  add(sight: EarlierSight): void {
    this.#sights.push(sight);
  }

  get count(): number {
    return this.#sights.length;
  }

  /** Whether the watcher knows a path of which it knows the last change. */
  surelyKnew(path: string): boolean {
    return this.#sights.every(({ sight }) => sight.allows(path));
  }

  /** Whether the watcher can know a path that existed. */
  mayHaveKnown(path: string): boolean {
    return this.#sights.some(({ sight }) => sight.allows(path));
  }

  /**
   * Whether a path that the watcher may no longer see existed while it could see it. A REVOKED for any other path would
   * show the watcher a path that was created after the withdrawal. "unknown" if what is retained does not show it.
   */
  existedWhileVisible(stored: Stored): "yes" | "no" | "unknown" {
    const visible = this.#sights.filter(({ sight }) => sight.allows(stored.path));
    const answers = visible.map((sight) => existedDuring(stored, sight));
    if (answers.includes("yes")) return "yes";
    return answers.includes("unknown") ? "unknown" : "no";
  }
}

function existedDuring(stored: Stored, { since, until }: EarlierSight): "yes" | "no" | "unknown" {
  if (stored.kind === "tombstone") return since < stored.revision && stored.revision <= until ? "yes" : "unknown";
  const { versions, settings } = stored;
  const [oldest] = versions;
  if (oldest !== undefined && oldest.revision <= until) return "yes";
  if (settings.revision > 0) return settings.revision <= until ? "yes" : "unknown";
  // Without settings, the first version has created the secret. It can be pruned.
  return oldest !== undefined && oldest.number === settings.firstVersion ? "no" : "unknown";
}

import type { Revision } from "../store/revision.ts";
import type { Stored } from "../store/secret.ts";
import type { Sight } from "./sight.ts";

/** What a watcher was allowed to see, and the revisions of the store when that began and ended. */
export interface EarlierSight {
  readonly sight: Sight;
  readonly since: Revision;
  readonly until: Revision;
}

/** The maximum number of policy changes whose effect was not sent to a watcher yet. If there are more, it gets a snapshot. */
export const MOST_EARLIER_SIGHTS = 8;

/**
 * The earlier sights of a watcher under which it can have received events. After a change of the policy, this is the
 * previous sight. If the policy changes again while the difference is being sent, there are several, because the watcher
 * can have received any part of the difference.
 */
export class EarlierSights {
  readonly #sights: EarlierSight[] = [];

  add(sight: EarlierSight): void {
    this.#sights.push(sight);
  }

  get count(): number {
    return this.#sights.length;
  }

  /** Whether all earlier sights allow a path. The watcher then knows its state, unless its last change was not sent yet. */
  surelyKnew(path: string): boolean {
    return this.#sights.every(({ sight }) => sight.allows(path));
  }

  /** See {@link Sight.atOrAfter}: the lowest of those of the earlier sights. */
  atOrAfter(text: string): string | undefined {
    return lowest(this.#sights.map(({ sight }) => sight.atOrAfter(text)));
  }

  /**
   * Whether a path that the watcher may no longer see existed while the watcher was allowed to see it. A REVOKED for any
   * other path would reveal that the path was created later. "unknown" if the store no longer has the data to decide.
   */
  existedWhileVisible(stored: Stored): "yes" | "no" | "unknown" {
    const visible = this.#sights.filter(({ sight }) => sight.allows(stored.path));
    const answers = visible.map((sight) => existedDuring(stored, sight));
    if (answers.includes("yes")) return "yes";
    return answers.includes("unknown") ? "unknown" : "no";
  }
}

/** The lowest text; undefined if there is none. */
export function lowest(texts: readonly (string | undefined)[]): string | undefined {
  return texts.reduce((least, text) => (least === undefined || (text !== undefined && text < least) ? text : least));
}

function existedDuring(stored: Stored, { since, until }: EarlierSight): "yes" | "no" | "unknown" {
  if (stored.kind === "tombstone") return since < stored.revision && stored.revision <= until ? "yes" : "unknown";
  const { versions, settings } = stored;
  const [oldest] = versions;
  if (oldest !== undefined && oldest.revision <= until) return "yes";
  if (settings.revision > 0) return settings.revision <= until ? "yes" : "unknown";
  // Without settings, the first version created the secret. That version can have been pruned since.
  return oldest !== undefined && oldest.number === settings.firstVersion ? "no" : "unknown";
}

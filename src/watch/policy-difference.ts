import type { WatchableMemory } from "../store/memory.ts";
import { type Position, compare, placeOf } from "../store/position.ts";
import type { Stored } from "../store/secret.ts";
import { type Candidate, revoked, stateOf } from "./candidate.ts";
import { type EarlierSights, lowest } from "./earlier-sights.ts";
import { PathScan } from "./path-scan.ts";
import type { Sight } from "./sight.ts";
import type { WatchScope } from "./watch-scope.ts";

/** What a {@link PolicyDifference} needs. */
export interface PolicyDifferenceOptions {
  readonly memory: WatchableMemory;
  readonly scope: WatchScope;
  /** What the watcher may see now. */
  readonly sight: Sight;
  /** The earlier sights, under which the watcher got its events. */
  readonly earlier: EarlierSights;
  /** The watcher knows all changes up to this place that it was allowed to see. It receives later changes afterwards. */
  readonly base: Position;
}

/** A path whose visibility at an earlier time can't be found out. */
export const UNKNOWN = "unknown";

/**
 * Finds what a policy change has made visible or invisible for a watcher, in one scan of the paths that it names. Their
 * order is that of paths, as in a snapshot: the order of changes would need a sort, and memory for all of them.
 */
export class PolicyDifference {
  readonly #options: PolicyDifferenceOptions;
  readonly #scan: PathScan;

  constructor(options: PolicyDifferenceOptions) {
    this.#options = options;
    const { memory, scope, sight, earlier } = options;
    const atOrAfter = (text: string) => {
      const at = scope.atOrAfter(text);
      return at === undefined ? undefined : lowest([sight.atOrAfter(at), earlier.atOrAfter(at)]);
    };
    this.#scan = new PathScan({ memory, atOrAfter, withTombstones: true });
  }

  get earlier(): EarlierSights {
    return this.#options.earlier;
  }

  get isOver(): boolean {
    return this.#scan.isOver;
  }

  /** Makes one step. Returns the next candidate, undefined if it needs another step, or {@link UNKNOWN}. */
  advance(): Candidate | typeof UNKNOWN | undefined {
    const stored = this.#scan.advance();
    if (stored === undefined) return undefined;
    const { sight, base, earlier } = this.#options;
    const isLater = compare(placeOf(stored), base) > 0;
    if (!sight.allows(stored.path)) return this.#withdrawn(stored, isLater);
    return isLater || stored.kind === "tombstone" || earlier.surelyKnew(stored.path) ? undefined : stateOf(stored);
  }

  /** A watcher that was sent the purge of a secret needs no REVOKED for it. */
  #withdrawn(stored: Stored, isLater: boolean): Candidate | typeof UNKNOWN | undefined {
    if (stored.kind === "tombstone" && !isLater) return undefined;
    const existed = this.#options.earlier.existedWhileVisible(stored);
    if (existed === "unknown") return UNKNOWN;
    return existed === "yes" ? revoked(stored.path) : undefined;
  }
}

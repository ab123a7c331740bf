import type { SecretPath } from "../domain/secret-path.ts";
import type { WatchableMemory } from "../store/memory.ts";
import type { Revision } from "../store/revision.ts";
import { type Stored, lastChange } from "../store/secret.ts";
import type { EarlierSights } from "./earlier-sights.ts";
import { PathScan } from "./path-scan.ts";
import { type Position, compare } from "./position.ts";
import { type Candidate, FirstCandidates } from "./first-candidates.ts";
import type { Sight } from "./sight.ts";
import type { WatchScope } from "./watch-scope.ts";

/** The bytes of memory for each candidate that may be selected. A selection holds up to twice as many while it is made. */
export const CANDIDATE_BYTES = 128;

/** What a {@link Reconciliation} needs. */
export interface ReconciliationOptions {
  readonly memory: WatchableMemory;
  readonly scope: WatchScope;
  /** What the watcher may see now. */
  readonly sight: Sight;
  /** The earlier sights, under which the watcher got its events. */
  readonly earlier: EarlierSights;
  /** The watcher knows all changes up to this place. */
  readonly base: Position;
  /** The number of candidates that are selected at once. */
  readonly size: number;
}

/** Before the first candidate. */
const FIRST: Position = { revision: -1, path: "" };

/** The revision of a candidate that the watcher may no longer see. It is lower than that of any change. */
const REVOKED_REVISION = -1;

/** A path whose visibility at an earlier time can't be found out. */
export const UNKNOWN = "unknown";

/**
 * Finds the difference between what a watcher knows and what it may see: first the secrets that it may no longer see, then
 * the others in the order of their last changes. It scans the store repeatedly and selects a bounded number each time,
 * because the difference can be as large as the store, and many watchers may have stopped reading.
 */
export class Reconciliation {
  /** Later changes are not part of the difference. The watcher receives them afterwards. */
  readonly until: Revision;
  readonly #options: ReconciliationOptions;
  #after = FIRST;
  #scan: PathScan;
  #selection: FirstCandidates;
  #found: readonly Candidate[] = [];
  #next = 0;
  #isLast = false;

  constructor(options: ReconciliationOptions) {
    this.#options = options;
    this.until = options.memory.revision;
    this.#scan = this.#newScan();
    this.#selection = new FirstCandidates(options.size);
  }

  get earlier(): EarlierSights {
    return this.#options.earlier;
  }

  get isOver(): boolean {
    return this.#isLast && this.#next === this.#found.length;
  }

  /** Makes one step. Returns the next candidate, undefined if it needs another step, or {@link UNKNOWN}. */
  advance(): Candidate | typeof UNKNOWN | undefined {
    const next = this.#found[this.#next];
    if (next !== undefined) {
      this.#next += 1;
      this.#after = next;
      return next;
    }
    return this.#scan.isOver ? this.#select() : this.#look();
  }

  /** The order of REVOKED does not matter, so the first scan finds all of them without a selection. */
  #look(): Candidate | typeof UNKNOWN | undefined {
    const stored = this.#scan.advance();
    const decision = stored === undefined ? undefined : this.#decide(stored);
    if (decision === UNKNOWN) return UNKNOWN;
    if (decision?.isRevoked === true) return this.#after === FIRST ? decision : undefined;
    if (decision !== undefined && compare(decision, this.#after) > 0) this.#selection.add(decision);
    return undefined;
  }

  #select(): undefined {
    this.#found = this.#selection.sorted();
    this.#next = 0;
    this.#isLast = !this.#selection.hasDropped;
    this.#selection = new FirstCandidates(this.#options.size);
    this.#scan = this.#newScan();
  }

  #newScan(): PathScan {
    const { memory, scope } = this.#options;
    return new PathScan({ memory, atOrAfter: (text) => scope.atOrAfter(text), withTombstones: true });
  }

  #decide(stored: Stored): Candidate | typeof UNKNOWN | undefined {
    const { sight, base } = this.#options;
    const { path } = stored;
    const place = { revision: lastChange(stored).revision, path };
    const isNew = compare(place, base) > 0;
    if (!sight.allows(path)) return this.#withdrawn(stored, isNew);
    if (place.revision > this.until) return undefined;
    return this.#isMissing(stored, isNew) ? { ...place, isRevoked: false } : undefined;
  }

  #isMissing({ kind, path }: Stored, isNew: boolean): boolean {
    const { earlier } = this.#options;
    return kind === "tombstone" ? isNew && earlier.mayHaveKnown(path) : isNew || !earlier.surelyKnew(path);
  }

  /** A watcher that was sent the purge of a secret needs no REVOKED for it. */
  #withdrawn(stored: Stored, isNew: boolean): Candidate | typeof UNKNOWN | undefined {
    if (stored.kind === "tombstone" && !isNew) return undefined;
    const existed = this.#options.earlier.existedWhileVisible(stored);
    if (existed === "unknown") return UNKNOWN;
    return existed === "yes" ? revoked(stored.path) : undefined;
  }
}

function revoked(path: SecretPath): Candidate {
  return { path, revision: REVOKED_REVISION, isRevoked: true };
}

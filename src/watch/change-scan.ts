import type { SecretPath } from "../domain/secret-path.ts";
import type { WatchableMemory } from "../store/memory.ts";
import { type Position, placeOf } from "../store/position.ts";
import type { Revision } from "../store/revision.ts";
import type { Stored } from "../store/secret.ts";

/** Which changes a scan finds. */
export interface ChangeScanOptions {
  readonly memory: WatchableMemory;
  /** The place after which it begins. */
  readonly from: Position;
  /** The last revision. */
  readonly until: Revision;
  readonly isWanted: (path: SecretPath) => boolean;
}

/**
 * Finds the wanted secrets and tombstones that have changed, in the order of their last changes, in steps between which the
 * memory can change. It finds everything that does not change during the scan.
 */
export class ChangeScan {
  readonly #options: ChangeScanOptions;
  #position: Position;
  #isOver = false;

  constructor(options: ChangeScanOptions) {
    this.#options = options;
    this.#position = options.from;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Looks at one of them. Returns undefined if it is not wanted, or if the scan is over. */
  advance(): Stored | undefined {
    const { memory, until, isWanted } = this.#options;
    const stored = memory.changedAfter(this.#position);
    if (stored === undefined || stored.revision > until) {
      this.#isOver = true;
      return undefined;
    }
    this.#position = placeOf(stored);
    return isWanted(stored.path) ? stored : undefined;
  }
}

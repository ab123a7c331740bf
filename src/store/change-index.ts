import { type Position, after, following, placeOf } from "./position.ts";
import type { Stored } from "./secret.ts";
import { SortedChunks } from "./sorted-chunks.ts";

/** After all changes. */
const END = after(Number.POSITIVE_INFINITY);

/** What is stored, each path once, in the order of last changes. */
export class ChangeIndex {
  readonly #stored = new SortedChunks<Stored, Position>(isBefore);

  /** Adds what is stored for a path that is not in the index. */
  add(stored: Stored): void {
    this.#stored.add(stored, placeOf(stored));
  }

  /** Removes what is in the index. */
  remove(stored: Stored): void {
    if (!this.#stored.remove(stored, placeOf(stored))) throw new Error(`${stored.path} is not in the index of changes`);
  }

  /** The number of paths whose last changes are after a position. */
  countAfter(position: Position): number {
    return this.#stored.count(following(position), END);
  }

  /** What has the first last change after a position; undefined if there is none. */
  after(position: Position): Stored | undefined {
    return this.#stored.atOrAfter(following(position));
  }
}

function isBefore(stored: Stored, { revision, path }: Position): boolean {
  return stored.revision === revision ? stored.path < path : stored.revision < revision;
}

import { MAX_VERSIONS } from "../contract/limits.ts";
import type { Revision } from "../store/journal.ts";
import type { StoredRow } from "./stored-row.ts";

/** How many versions of a secret were seen, and the number of the last one. Packed, since there may be a million. */
const SEEN_FACTOR = 16;

/**
 * Follows the rows of a store in the order of their revisions, and tells the first one that no series of Puts and Deletes
 * leads to. Each rule completes a sentence about the revision at fault.
 */
export class StoredHistory {
  readonly #seen = new Map<string, number>();
  /** Deletions that the table has announced, by the revision of the version. The index must bring each of them. */
  readonly #deletions = new Map<Revision, Revision>();
  #last: StoredRow | undefined;
  /** Versions that the last revision has deleted. */
  #deletedTogether = 0;

  /** What is wrong with the next row; undefined: nothing. */
  problem(row: StoredRow): string | undefined {
    const problem = this.#numberProblem(row) ?? (row[5] === null ? this.#deleteProblem(row) : this.#putProblem(row));
    this.#last = row;
    return problem;
  }

  /** What is missing when there are no more rows; undefined: nothing. */
  endProblem(): string | undefined {
    for (const [revision, deletion] of this.#deletions)
      return `${deletion} deletes the version of ${revision}, and is not in the index`;
    for (const [path, seen] of this.#seen) {
      const [last, count] = [Math.floor(seen / SEEN_FACTOR), seen % SEEN_FACTOR];
      if (count < MAX_VERSIONS && last > count)
        return `${this.#last?.[0]} leaves ${path} with ${count} versions up to ${last}`;
    }
    return undefined;
  }

  #numberProblem([at, , version, time, , , createdAt, deletedAt]: StoredRow): string | undefined {
    const numbers = deletedAt === null ? [at, version, time, createdAt] : [at, version, time, createdAt, deletedAt];
    if (!numbers.every(isPositive)) return `${at} has a number that is none`;
    if (this.#last !== undefined && time < this.#last[3]) return `${at} is older than the revision before it`;
    return undefined;
  }

  #putProblem([at, path, version, , , , , deletedAt]: StoredRow): string | undefined {
    if (at === this.#last?.[0]) return `${at} has more than one change`;
    if (deletedAt !== null) {
      if (deletedAt <= at) return `${deletedAt} deletes what ${at} makes`;
      this.#deletions.set(at, deletedAt);
    }
    return this.#versionProblem(at, path, version);
  }

  #versionProblem(at: Revision, path: string, version: number): string | undefined {
    const seen = this.#seen.get(path);
    const [last, count] = seen === undefined ? [version - 1, 0] : [Math.floor(seen / SEEN_FACTOR), seen % SEEN_FACTOR];
    if (version !== last + 1) return `${at} is version ${version} of ${path}, after version ${last}`;
    if (count === MAX_VERSIONS) return `${at} is one more version of ${path} than the ${MAX_VERSIONS} that are kept`;
    this.#seen.set(path, version * SEEN_FACTOR + count + 1);
    return undefined;
  }

  /** A delete marks versions of one secret, and all rows of it say the same. */
  #deleteProblem([at, path, , time, author, , createdAt]: StoredRow): string | undefined {
    const last = this.#last;
    const isFurther = last !== undefined && last[0] === at;
    this.#deletedTogether = isFurther ? this.#deletedTogether + 1 : 1;
    const isSame = !isFurther || (last[5] === null && last[1] === path && last[3] === time && last[4] === author);
    if (!isSame || this.#deletedTogether > MAX_VERSIONS) return `${at} has more than one change`;
    if (this.#deletions.get(createdAt) !== at) return `${at} deletes the version of ${createdAt} in the index only`;
    this.#deletions.delete(createdAt);
    return undefined;
  }
}

/** Rules out numbers that JavaScript would round, too. */
function isPositive(number: number): boolean {
  return Number.isSafeInteger(number) && number > 0;
}

import { MAX_VERSIONS } from "../contract/limits.ts";
import type { Revision } from "../store/journal.ts";
import type { StoredRow } from "./stored-row.ts";

/** Packs the number of the last version and the count of versions of a secret into one number, to save memory. */
const SEEN_FACTOR = 16;

/**
 * Reads the rows of a store in order of revision, and finds the first row that no series of Puts and Deletes can
 * produce. Each problem is a text to be written after "revision".
 */
export class StoredHistory {
  readonly #seen = new Map<string, number>();
  /**
   * The deletions in rows of the table, by the revision of the version. A read through the index must find each of
   * them, too.
   */
  readonly #deletions = new Map<Revision, Revision>();
  #last: StoredRow | undefined;
  /** The number of versions that the last revision deletes. */
  #deletedTogether = 0;

  /** The problem of the next row; undefined if there is none. */
  problem(row: StoredRow): string | undefined {
    const problem = this.#numberProblem(row) ?? (row[5] === null ? this.#deleteProblem(row) : this.#putProblem(row));
    this.#last = row;
    return problem;
  }

  /** The problem that shows only after the last row; undefined if there is none. */
  endProblem(): string | undefined {
    for (const [revision, deletion] of this.#deletions)
      return `${deletion}, which deletes the version of revision ${revision}, is missing in the index`;
    for (const [path, seen] of this.#seen) {
      const [last, count] = [Math.floor(seen / SEEN_FACTOR), seen % SEEN_FACTOR];
      if (count < MAX_VERSIONS && last > count)
        return `${this.#last?.[0]} leaves only ${count} versions of ${path}, up to version ${last}`;
    }
    return undefined;
  }

  #numberProblem([at, , version, time, , , createdAt, deletedAt]: StoredRow): string | undefined {
    const numbers = deletedAt === null ? [at, version, time, createdAt] : [at, version, time, createdAt, deletedAt];
    if (!numbers.every(isPositive)) return `${at} has an invalid number`;
    if (this.#last !== undefined && time < this.#last[3])
      return `${at} has an earlier time than the revision before it`;
    return undefined;
  }

  #putProblem([at, path, version, , , , , deletedAt]: StoredRow): string | undefined {
    if (at === this.#last?.[0]) return `${at} has more than one change`;
    if (deletedAt !== null) {
      if (deletedAt <= at) return `${deletedAt} deletes the version of revision ${at}, which is not earlier`;
      this.#deletions.set(at, deletedAt);
    }
    return this.#versionProblem(at, path, version);
  }

  #versionProblem(at: Revision, path: string, version: number): string | undefined {
    const seen = this.#seen.get(path);
    const [last, count] = seen === undefined ? [version - 1, 0] : [Math.floor(seen / SEEN_FACTOR), seen % SEEN_FACTOR];
    if (version !== last + 1) return `${at} is version ${version} of ${path}, after version ${last}`;
    if (count === MAX_VERSIONS) return `${at} is a version of ${path} beyond the ${MAX_VERSIONS} that are retained`;
    this.#seen.set(path, version * SEEN_FACTOR + count + 1);
    return undefined;
  }

  /** A Delete marks versions of one secret, and all its rows have the same time and author. */
  #deleteProblem([at, path, , time, author, , createdAt]: StoredRow): string | undefined {
    const last = this.#last;
    const isFurther = last !== undefined && last[0] === at;
    this.#deletedTogether = isFurther ? this.#deletedTogether + 1 : 1;
    const isSame = !isFurther || (last[5] === null && last[1] === path && last[3] === time && last[4] === author);
    if (!isSame || this.#deletedTogether > MAX_VERSIONS) return `${at} has more than one change`;
    if (this.#deletions.get(createdAt) !== at)
      return `${at} deletes the version of revision ${createdAt} in the index only`;
    this.#deletions.delete(createdAt);
    return undefined;
  }
}

/** Also refuses numbers that JavaScript can't represent exactly. */
function isPositive(number: number): boolean {
  return Number.isSafeInteger(number) && number > 0;
}

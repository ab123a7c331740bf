import { MAX_CONFIGURABLE_VERSIONS, MAX_OPERATIONS, MAX_VERSIONS } from "../contract/limits.ts";
import type { Revision } from "../store/revision.ts";
import { isValidRequest, isValidSettings } from "./stored-values.ts";
import type { PutRow, RequestRow, RowState, SettingsRow, StateRow, StoredRow, TombstoneRow } from "./stored-row.ts";
import { stateOfCode } from "./version-state-codes.ts";

/** Packs the number of the last version and the count of versions of a secret into one number, to save memory. */
const SEEN_FACTOR = 128;

/** The settings that decide how many versions a secret has. */
type Retention = Pick<SettingsRow, "maxVersions" | "firstVersion">;

const DEFAULT_RETENTION: Retention = { maxVersions: MAX_VERSIONS, firstVersion: 1 };

/**
 * Reads the rows of a store in order of revision, and finds the first row that no series of changes can produce. Each
 * problem is a text to be written after "revision".
 */
export class StoredHistory {
  readonly #seen = new Map<string, number>();
  readonly #settings = new Map<string, Retention>();
  readonly #tombstones = new Set<string>();
  /** The revisions of states in the table, by row. A read through the index must find each of them, too. */
  readonly #states = new Map<number, Revision>();
  #last: StoredRow | undefined;
  /** The author of the changes of the current entry; empty if the server is the only one so far. */
  #author = "";
  /** The revision of the entry before the current one, and the last row of a put. */
  #before: Revision = 0;
  #lastRow = 0;

  /** The problem of the next row; undefined if there is none. */
  problem(row: StoredRow): string | undefined {
    const problem = this.#orderProblem(row) ?? this.#rowProblem(row);
    this.#last = row;
    return problem;
  }

  /** The problem that shows only after the last row; undefined if there is none. The counts are those of the tables. */
  endProblem(counts: { readonly settings: number; readonly tombstones: number }): string | undefined {
    const last = this.#last?.at ?? 0;
    for (const [row, revision] of this.#states)
      return `${revision}, which changes the state of the version of row ${row}, is missing in the index`;
    if (counts.settings !== this.#settings.size)
      return `${last} is the last one, and settings are missing in the index`;
    if (counts.tombstones !== this.#tombstones.size)
      return `${last} is the last one, and tombstones are missing in the index`;
    for (const [path, seen] of this.#seen) {
      const problem = this.#retentionProblem(path, Math.floor(seen / SEEN_FACTOR), seen % SEEN_FACTOR);
      if (problem !== undefined) return `${last} ${problem}`;
    }
    return undefined;
  }

  /**
   * The number of the lowest retained version follows from that of the newest one and the settings, and so does their
   * count.
   */
  #retentionProblem(path: string, last: number, count: number): string | undefined {
    const { maxVersions, firstVersion } = this.#settings.get(path) ?? DEFAULT_RETENTION;
    const expected = last - Math.max(firstVersion, last - maxVersions + 1) + 1;
    if (count === expected) return undefined;
    return `leaves ${count} versions of ${path}, up to version ${last}, and not ${Math.max(0, expected)}`;
  }

  /** All changes of an entry have the same time, and one caller is the author of those that the server did not make. */
  #orderProblem({ at, time, author }: StoredRow): string | undefined {
    if (!isPositive(at) || !isPositive(time)) return `${at} has an invalid number`;
    const last = this.#last;
    if (last !== undefined && time < last.time) return `${at} has an earlier time than the revision before it`;
    if (last?.at !== at) [this.#author, this.#before] = ["", last?.at ?? 0];
    else if (time !== last.time) return `${at} has changes of different times`;
    if (author !== "" && this.#author !== "" && author !== this.#author)
      return `${at} has changes of different authors`;
    this.#author ||= author;
    return undefined;
  }

  #rowProblem(row: StoredRow): string | undefined {
    switch (row.kind) {
      case "put":
        return this.#putProblem(row) ?? this.#versionProblem(row);
      case "state":
        return this.#stateProblem(row);
      case "settings":
        return this.#settingsProblem(row);
      case "tombstone":
        return this.#tombstoneProblem(row);
      case "request":
        return requestProblem(row);
    }
  }

  #putProblem(put: PutRow): string | undefined {
    const { at, row, version, author, expireTime, state } = put;
    const numbers = expireTime === null ? [row, version] : [row, version, expireTime];
    if (!numbers.every(isPositive) || author === "") return `${at} has an invalid number or author`;
    const before = Math.max(this.#before, this.#lastRow);
    if (row > at || at - row >= MAX_OPERATIONS || row <= before)
      return `${at} has the row ${row}, which is not its own`;
    this.#lastRow = row;
    if (state === undefined) return put.sealed.length === 0 ? `${at} has no content` : undefined;
    const problem = stateProblem(put, state);
    if (problem === undefined && state.revision !== null) this.#states.set(row, state.revision);
    return problem;
  }

  #versionProblem({ at, path, version }: PutRow): string | undefined {
    if (this.#tombstones.has(path)) return `${at} is a version of ${path}, which was purged`;
    const seen = this.#seen.get(path);
    const [last, count] = seen === undefined ? [version - 1, 0] : [Math.floor(seen / SEEN_FACTOR), seen % SEEN_FACTOR];
    if (version !== last + 1) return `${at} is version ${version} of ${path}, after version ${last}`;
    if (count === MAX_CONFIGURABLE_VERSIONS)
      return `${at} is a version of ${path} beyond the ${count} that can be retained`;
    this.#seen.set(path, version * SEEN_FACTOR + count + 1);
    return undefined;
  }

  /** The put of a row comes before its state, unless the index has an entry that the table does not have. */
  #stateProblem({ at, row }: StateRow): string | undefined {
    if (this.#states.get(row) !== at) return `${at} changes the state of the version of row ${row} in the index only`;
    this.#states.delete(row);
    return undefined;
  }

  #settingsProblem(row: SettingsRow): string | undefined {
    const { at, inTable, path, maxVersions, firstVersion, author } = row;
    if (inTable !== at || this.#settings.has(path)) return `${at} has settings of ${path} in the index only`;
    if (!isValidSettings(row) || author === "") return `${at} has invalid settings of ${path}`;
    if (this.#tombstones.has(path)) return `${at} has settings of ${path}, which was purged`;
    this.#settings.set(path, { maxVersions, firstVersion });
    return undefined;
  }

  #tombstoneProblem({ at, inTable, path, lastVersion, author }: TombstoneRow): string | undefined {
    if (inTable !== at || this.#tombstones.has(path)) return `${at} has a tombstone of ${path} in the index only`;
    if (!(lastVersion === 0 || isPositive(lastVersion)) || author === "") return `${at} has an invalid tombstone`;
    if (this.#seen.has(path) || this.#settings.has(path)) return `${at} purges ${path}, which exists`;
    this.#tombstones.add(path);
    return undefined;
  }
}

/** A state that no change sets on this version; undefined if one does. */
function stateProblem({ at, sealed, expireTime }: PutRow, { code, revision, time, by }: RowState): string | undefined {
  const kind = stateOfCode(code);
  if (kind === undefined || revision === null || time === null || by === null) return `${at} has an invalid state`;
  if (revision < at) return `${revision} changes the version of revision ${at}, which is later`;
  const isErased = kind === "destroyed" || kind === "expired";
  if (isErased !== (sealed.length === 0)) return `${at} is ${kind} and has ${sealed.length} bytes of content`;
  if ((kind === "expired") !== (by === "")) return `${at} is ${kind} by "${by}"`;
  if (kind === "expired" && (expireTime === null || time < expireTime)) return `${at} is expired before its time`;
  return undefined;
}

function requestProblem(row: RequestRow): string | undefined {
  return isValidRequest(row) && row.author !== "" ? undefined : `${row.at} has an invalid request`;
}

/** Also refuses numbers that JavaScript can't represent exactly. */
function isPositive(number: number): boolean {
  return Number.isSafeInteger(number) && number > 0;
}

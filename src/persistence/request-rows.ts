import type Database from "better-sqlite3";
import type { OperationResult } from "../store/command.ts";
import type { AnsweredRequest, RequestChange } from "../store/journal.ts";
import type { Revision } from "../store/revision.ts";

/** A result as the column `results` has it, in JSON. */
type ResultCell = readonly [versions: readonly number[], expireTime: number | null];

/**
 * Selects the rows to forget: all rows before the first one whose time is the parameter or later. Times ascend with
 * revisions, so a query with this condition reads only the rows that are removed.
 */
export const FORGOTTEN_ROWS = `FROM requests WHERE revision <
  ifnull((SELECT revision FROM requests WHERE time >= ? ORDER BY revision LIMIT 1), ${Number.MAX_SAFE_INTEGER})`;

/** Writes the table `requests`. Call {@link apply} within a transaction. */
export class RequestRows {
  readonly #insert: Database.Statement;
  readonly #remove: Database.Statement;

  constructor(db: Database.Database) {
    this.#insert = db.prepare("INSERT INTO requests VALUES (?, ?, ?, ?, ?, ?, ?)");
    this.#remove = db.prepare(`DELETE ${FORGOTTEN_ROWS}`);
  }

  apply(change: RequestChange, revision: Revision): void {
    if (change.kind === "forget") this.#remove.run(change.before);
    else this.#remember(change.request, revision);
  }

  #remember({ caller, id, digest, time, results, revision }: AnsweredRequest, at: Revision): void {
    this.#insert.run(at, time, caller, bytesOfId(id), digest, resultsText(results), revision ?? null);
  }
}

/** The 16 bytes of a UUID. */
function bytesOfId(id: string): Buffer {
  return Buffer.from(id.replaceAll("-", ""), "hex");
}

/** A UUID in lower case from its 16 bytes. */
export function idOfBytes(bytes: Buffer): string {
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

function resultsText(results: readonly OperationResult[]): string {
  const cells = results.map(({ versions, expireTime }): ResultCell => [versions, expireTime ?? null]);
  return JSON.stringify(cells);
}

/** The results in a column `results`. Undefined if no release writes this text. */
export function resultsOf(text: string): readonly OperationResult[] | undefined {
  const cells = parsed(text);
  if (!Array.isArray(cells) || !cells.every(isResultCell)) return undefined;
  return cells.map(([versions, expireTime]) => ({ versions, expireTime: expireTime ?? undefined }));
}

function isResultCell(cell: unknown): cell is ResultCell {
  if (!Array.isArray(cell) || cell.length !== 2) return false;
  const [versions, expireTime] = cell as readonly unknown[];
  return (
    Array.isArray(versions) &&
    versions.every(Number.isSafeInteger) &&
    (expireTime === null || Number.isSafeInteger(expireTime))
  );
}

/** The value of a JSON text; undefined if the text is not JSON. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

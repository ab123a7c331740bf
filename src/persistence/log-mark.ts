import type Database from "better-sqlite3";
import { StoreRefused } from "./store-refused.ts";

/**
 * Binds a log to its database, and each commit to the previous one: the id of the store, and the number of the commit.
 * Every commit writes the next number, and a checkpoint copies it to the database like every other page. Before a
 * checkpoint, the first number in the log is therefore the number in the database plus 1. Once a checkpoint has begun,
 * the number in the database can be any number in the log. The log of another store, or of the same store at another
 * time, has other marks. A missing number is a lost commit.
 */
export interface LogMark {
  readonly storeId: Buffer;
  readonly number: bigint;
}

const NUMBER_BYTES = 8;
const STORE_ID_BYTES = 16;

/**
 * The header of the table's only row, as SQLite stores it (sqlite.org/fileformat2.html, section 2.1): a payload of 28
 * bytes, and the key 1.
 */
const ROW = Buffer.from([4 + STORE_ID_BYTES + NUMBER_BYTES, 1, 4, 0, 12 + 2 * STORE_ID_BYTES, 12 + 2 * NUMBER_BYTES]);

/**
 * The fields of a page that is a leaf of a table: its type, the offset of its number of rows, and the offset of the
 * pointer to its first row.
 */
const TABLE_LEAF = 0x0d;
const COUNT_AT = 3;
const FIRST_ROW_AT = 8;

/** Writes the mark of a store without commits. Call it within a transaction. */
export function writeFirstMark(db: Database.Database): void {
  db.prepare("INSERT INTO log_mark (only_row, store_id, number) SELECT 1, store_id, zeroblob(8) FROM identity").run();
}

/** The number of the page with the mark; undefined if an older release, without marks, created the schema. */
export function markPage(db: Database.Database): number | undefined {
  const page = db.prepare<[], number>("SELECT rootpage FROM sqlite_schema WHERE name = 'log_mark'").pluck();
  return page.get();
}

/** Reads the mark on a page without SQLite. Returns undefined if the page is not the one with the mark. */
export function markOn(page: Buffer): LogMark | undefined {
  if (page[0] !== TABLE_LEAF || page.readUInt16BE(COUNT_AT) !== 1) return undefined;
  const at = page.readUInt16BE(FIRST_ROW_AT);
  const idAt = at + ROW.length;
  const row = page.subarray(at, idAt + STORE_ID_BYTES + NUMBER_BYTES);
  if (!row.subarray(0, ROW.length).equals(ROW) || row.length < ROW.length + STORE_ID_BYTES + NUMBER_BYTES)
    return undefined;
  return {
    storeId: Buffer.from(page.subarray(idAt, idAt + STORE_ID_BYTES)),
    number: page.readBigUInt64BE(idAt + STORE_ID_BYTES),
  };
}

/**
 * Whether a log continues a database. `first` and `last` are the first and the last mark in the log. `stored` is the
 * mark in the database; undefined if it has none yet.
 */
export function isContinued(
  stored: LogMark | undefined,
  first: LogMark | undefined,
  last: LogMark | undefined,
): boolean {
  if (first === undefined || last === undefined || !first.storeId.equals(last.storeId)) return false;
  if (stored === undefined) return first.number === 1n;
  return stored.storeId.equals(first.storeId) && first.number - 1n <= stored.number && stored.number <= last.number;
}

/** Numbers the commits of a store. */
export class CommitMarks {
  readonly #write: Database.Statement;
  #number: bigint;

  constructor(db: Database.Database) {
    const number = db.prepare<[], Buffer>("SELECT number FROM log_mark JOIN identity USING (store_id)").pluck().get();
    if (number === undefined)
      throw new StoreRefused("damaged", `${db.name} has no commit mark; restore it from a copy`);
    this.#number = number.readBigUInt64BE();
    this.#write = db.prepare("UPDATE log_mark SET number = ?");
  }

  /** Writes the number of the next commit. Call it within every transaction. */
  write(): void {
    const next = Buffer.alloc(NUMBER_BYTES);
    next.writeBigUInt64BE(this.#number + 1n);
    if (this.#write.run(next).changes !== 1) throw new Error("the mark of the commit was not written");
  }

  /** Call it when the transaction is durable. */
  committed(): void {
    this.#number += 1n;
  }
}

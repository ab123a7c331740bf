import { closeSync, constants, fdatasyncSync, fstatSync, openSync, readSync, writeSync } from "node:fs";
import { FRAME_HEADER_BYTES, framesOf, LOG_HEADER_BYTES } from "./log-frame.ts";

/** The number of pages to read at a time. */
const CHUNK_PAGES = 256;

/** The size of the header of a database, which is in its first page (sqlite.org/fileformat2.html, section 1.3). */
const DATABASE_HEADER_BYTES = 100;

/**
 * The fields of a page that is a leaf of a table, by offset: the type, the number of cells and the start of the cells.
 * The pointers to the cells follow (sqlite.org/fileformat2.html, section 1.6).
 */
const TABLE_LEAF = 0x0d;
const COUNT_AT = 3;
const CELLS_AT = 5;
const POINTERS_AT = 8;
const POINTER_BYTES = 2;

/**
 * Overwrites the copies of rows that SQLite leaves when it moves them. `PRAGMA secure_delete` overwrites a row that is
 * deleted. But when SQLite moves rows between pages to balance a tree, it writes the new pages over the old ones, and a
 * part of an old row can remain in the unused bytes between the pointers and the cells of a page (`rebuildPage` in
 * btree.c). In an experiment with 6,000 random changes, the content of up to three of 1,800 destroyed rows remained.
 *
 * This class writes to the database without SQLite, but only to bytes that SQLite does not use, and only while the log
 * is empty, so that the file has the last content of each page. SQLite must read the changed pages again: see {@link
 * overwrite}.
 *
 * It keeps its descriptor of the database until {@link close}. Closing it would drop the locks of SQLite
 * (sqlite.org/howtocorrupt.html, section 2.2).
 */
export class MovedRows {
  readonly #file: string;
  readonly #pageSize: number;
  #descriptor: number | undefined;
  /**
   * The pages that were written since the last call of {@link overwrite}. Undefined before the first call: then every
   * page can have copies, because an earlier process or an older release has written it.
   */
  #written: Set<number> | undefined;

  constructor(file: string, pageSize: number) {
    this.#file = file;
    this.#pageSize = pageSize;
  }

  /**
   * Notes the pages that the log contains. Call it before each checkpoint, after which SQLite can overwrite the log.
   * `frames` is the number of frames in the log.
   */
  collect(frames: number): void {
    if (this.#written === undefined || frames === 0) return;
    const descriptor = openSync(`${this.#file}-wal`, constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      const size = LOG_HEADER_BYTES + frames * (FRAME_HEADER_BYTES + this.#pageSize);
      for (const { page } of framesOf(descriptor, size, this.#pageSize)) this.#written.add(page);
    } finally {
      closeSync(descriptor);
    }
  }

  /**
   * Overwrites the unused bytes of the pages that were written, and syncs the file. Call it when the log is empty.
   * Returns whether a page was changed. SQLite must then drop the pages that it has in memory, because it would write
   * the old bytes again.
   */
  overwrite(): boolean {
    this.#descriptor ??= openSync(this.#file, constants.O_RDWR | constants.O_NOFOLLOW);
    const changed = this.#overwriteIn(this.#descriptor);
    if (changed) fdatasyncSync(this.#descriptor);
    this.#written = new Set();
    return changed;
  }

  /** Call it after SQLite has closed the database. */
  close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }

  #overwriteIn(descriptor: number): boolean {
    const zeros = Buffer.alloc(this.#pageSize);
    const pages = Math.floor(fstatSync(descriptor).size / this.#pageSize);
    let changed = false;
    for (const [first, count] of runsOf(this.#written, pages)) {
      const chunk = Buffer.alloc(count * this.#pageSize);
      const length = readSync(descriptor, chunk, 0, count * this.#pageSize, (first - 1) * this.#pageSize);
      for (let at = 0; at + this.#pageSize <= length; at += this.#pageSize) {
        const page = chunk.subarray(at, at + this.#pageSize);
        const [start, end] = unusedPart(page, first === 1 && at === 0 ? DATABASE_HEADER_BYTES : 0);
        if (page.subarray(start, end).equals(zeros.subarray(start, end))) continue;
        writeZeros(descriptor, (first - 1) * this.#pageSize + at + start, end - start);
        changed = true;
      }
      chunk.fill(0); // it is in memory until the garbage collector frees it
    }
    return changed;
  }
}

/** The pages to read, as runs of at most {@link CHUNK_PAGES}. */
function* runsOf(written: ReadonlySet<number> | undefined, pages: number): Generator<[first: number, count: number]> {
  if (written !== undefined) {
    for (const page of written) if (page <= pages) yield [page, 1];
    return;
  }
  for (let first = 1; first <= pages; first += CHUNK_PAGES) yield [first, Math.min(CHUNK_PAGES, pages - first + 1)];
}

/**
 * The unused bytes of a page; none if the page is not a leaf of a table. No other kind of page begins with the same byte: in
 * overflow pages and in free pages it is the first byte of a page number, which is lower in databases below 890 GB.
 */
function unusedPart(page: Buffer, header: number): [start: number, end: number] {
  if (page[header] !== TABLE_LEAF) return [0, 0];
  const start = header + POINTERS_AT + POINTER_BYTES * page.readUInt16BE(header + COUNT_AT);
  const end = page.readUInt16BE(header + CELLS_AT);
  return start <= end && end <= page.length ? [start, end] : [0, 0];
}

function writeZeros(descriptor: number, position: number, length: number): void {
  const zeros = Buffer.alloc(length);
  for (let done = 0; done < length; ) done += writeSync(descriptor, zeros, done, length - done, position + done);
}

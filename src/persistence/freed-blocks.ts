import type Database from "better-sqlite3";

/**
 * glibc keeps the last seven blocks of each small size that a thread has freed, and does not overwrite them: the sizes are
 * 24, 40 and so on up to 1,032 bytes (`tcache` in malloc.c). One more of each size is used here.
 */
const KEPT_OF_EACH = 8;
const KEPT_STEP = 16;
const LARGEST_KEPT = 1032;

// SQLite keeps blocks for the statements of a connection (sqlite.org/malloc.html, section 3.1): 30 of 1,200 bytes, and 93 of
// 128 bytes. A few more of each are used here.
const LARGE_OF_CONNECTION = 32;
const SMALL_OF_CONNECTION = 96;

/**
 * Overwrites the small blocks that SQLite has freed on this thread. SQLite copies each row and each parameter into a block,
 * so freed blocks can contain sealed contents. Larger blocks are overwritten by the C library (process/freed-memory.ts).
 *
 * A statement with one parameter for each block makes SQLite use all of them at once, and fill them with zeros. This took
 * 0.08 ms of CPU time.
 */
export class FreedBlocks {
  readonly #zeros: readonly Buffer[] = blockSizes().map((size) => Buffer.alloc(size));
  readonly #copy: Database.Statement;

  constructor(db: Database.Database) {
    this.#copy = db.prepare(`SELECT 1 WHERE 0 AND ${this.#zeros.map(() => "?").join(" AND ")}`);
  }

  overwrite(): void {
    this.#copy.get(this.#zeros);
  }
}

/** The blocks of the connection come first: SQLite uses those of the C library only when these are in use. */
function blockSizes(): readonly number[] {
  const sizes: number[] = [...repeated(LARGEST_KEPT, LARGE_OF_CONNECTION), ...repeated(120, SMALL_OF_CONNECTION)];
  for (let size = 24; size <= LARGEST_KEPT; size += KEPT_STEP) sizes.push(...repeated(size, KEPT_OF_EACH));
  return sizes;
}

function repeated(size: number, count: number): readonly number[] {
  return new Array<number>(count).fill(size);
}

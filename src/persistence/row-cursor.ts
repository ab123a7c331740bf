import type { StoredRow } from "./stored-row.ts";

/** Reads the next rows after a row, or the first ones. Returns none after the last row. */
export type ReadPage<Row extends StoredRow> = (last: Row | undefined) => readonly Row[];

/** The rows of one table in revision order. It reads a page at a time, and holds one. */
export class RowCursor<Row extends StoredRow = StoredRow> {
  readonly #read: ReadPage<Row>;
  #page: readonly Row[];
  #index = 0;

  constructor(read: ReadPage<Row>) {
    this.#read = read;
    this.#page = read(undefined);
  }

  /** The next row; undefined after the last one. */
  get head(): Row | undefined {
    return this.#page[this.#index];
  }

  advance(): void {
    this.#index += 1;
    if (this.#index < this.#page.length) return;
    this.#page = this.#read(this.#page.at(-1));
    this.#index = 0;
  }
}

/** Merges cursors in revision order. Rows with the same revision come in the order of the cursors. */
export function* inOrder(cursors: readonly RowCursor[]): Generator<StoredRow> {
  for (;;) {
    let next: RowCursor | undefined;
    for (const cursor of cursors) {
      if (cursor.head !== undefined && (next?.head === undefined || cursor.head.at < next.head.at)) next = cursor;
    }
    if (next?.head === undefined) return;
    yield next.head;
    next.advance();
  }
}

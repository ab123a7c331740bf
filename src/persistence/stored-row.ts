import type { Revision } from "../store/journal.ts";

/** A row of the table of versions, as one of the changes that led to it. */
export type StoredRow = readonly [
  at: Revision,
  path: string,
  version: number,
  time: number,
  author: string,
  /** Of the put; null in the row of a delete. */
  sealed: Buffer | null,
  createdAt: Revision,
  /** The revision that deletes the version; null: it is live. As the table says it, and not the index. */
  deletedAt: Revision | null,
];

import type { Revision } from "../store/journal.ts";

/** One change that a row of the table `versions` represents: its put or its deletion. */
export type StoredRow = readonly [
  at: Revision,
  path: string,
  version: number,
  time: number,
  author: string,
  /** The sealed content of a put; null for a deletion. */
  sealed: Buffer | null,
  createdAt: Revision,
  /** The revision that deletes the version, from the table and not from the index; null if the version is live. */
  deletedAt: Revision | null,
];

import type { Revision } from "../store/revision.ts";

/**
 * One change that a restart reads from a row. A row of the table `versions` represents two changes if the state of the
 * version was changed: its put, and the last change of its state.
 */
export type StoredRow = PutRow | StateRow | SettingsRow | TombstoneRow | RequestRow;

/** The columns that every change has. Columns can have any values that SQLite's types and the checks of the schema allow. */
interface Row {
  /** The revision of the change. */
  readonly at: Revision;
  readonly time: number;
  readonly author: string;
}

/** A version, as it was put. */
export interface PutRow extends Row {
  readonly kind: "put";
  readonly row: number;
  readonly path: string;
  readonly version: number;
  readonly sealed: Buffer;
  readonly expireTime: number | null;
  /** The last change of its state; undefined if there was none. */
  readonly state: RowState | undefined;
}

/** The columns of a state, read from the table and not from the index. */
export interface RowState {
  readonly code: number;
  readonly revision: Revision | null;
  readonly time: number | null;
  readonly by: string | null;
}

/** The last change of the state of a version, found by the index. */
export interface StateRow extends Row {
  readonly kind: "state";
  readonly row: number;
  readonly path: string;
  readonly version: number;
  readonly code: number;
}

/** The settings of a secret, found by the index. */
export interface SettingsRow extends Row {
  readonly kind: "settings";
  /** The revision in the table. */
  readonly inTable: Revision;
  readonly path: string;
  readonly maxVersions: number;
  readonly labels: string;
  readonly description: string;
  readonly defaultTtl: number | null;
  readonly casRequired: number;
  readonly firstVersion: number;
}

/** The tombstone of a purged secret, found by the index. */
export interface TombstoneRow extends Row {
  readonly kind: "tombstone";
  /** The revision in the table. */
  readonly inTable: Revision;
  readonly path: string;
  readonly lastVersion: number;
}

/** An answered request. The author is its caller. */
export interface RequestRow extends Row {
  readonly kind: "request";
  readonly id: Buffer;
  readonly digest: Buffer;
  readonly results: string;
  readonly answerRevision: Revision | null;
}

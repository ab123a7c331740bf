import type { Revision } from "./revision.ts";
import type { Stored } from "./secret.ts";

/** A place in the order of all changes. Changes of one revision are ordered by path. */
export interface Position {
  readonly revision: Revision;
  readonly path: string;
}

/** Greater than every path. */
export const LAST_PATH = "\uffff";

/** The place after all changes of a revision. */
export function after(revision: Revision): Position {
  return { revision, path: LAST_PATH };
}

/** The first place after a place. */
export function following({ revision, path }: Position): Position {
  return { revision, path: `${path}\0` };
}

/** Negative if `a` comes before `b`, 0 if they are equal. */
export function compare(a: Position, b: Position): number {
  if (a.revision !== b.revision) return a.revision - b.revision;
  if (a.path === b.path) return 0;
  return a.path < b.path ? -1 : 1;
}

/** The place of the last change of a path. */
export function placeOf({ revision, path }: Stored): Position {
  return { revision, path };
}

/** The last revision of which every change is at or before the place. */
export function completeRevision({ revision, path }: Position): Revision {
  return path === LAST_PATH ? revision : revision - 1;
}

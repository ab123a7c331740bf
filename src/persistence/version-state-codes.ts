import type { VersionStateKind } from "../store/change.ts";

/** The values of the column `state`. Stored, so never changed. */
const CODES: Readonly<Record<VersionStateKind, number>> = { live: 0, deleted: 1, destroyed: 2, expired: 3 };

const KINDS = new Map(Object.entries(CODES).map(([kind, code]) => [code, kind as VersionStateKind]));

/** The value of the column `state` for a state. */
export function stateCode(kind: VersionStateKind): number {
  return CODES[kind];
}

/** The state for a value of the column `state`; undefined if no release writes it. */
export function stateOfCode(code: number): VersionStateKind | undefined {
  return KINDS.get(code);
}

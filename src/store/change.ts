import type { SecretPath } from "../domain/secret-path.ts";

/**
 * A change of the store, as a value. A commit writes changes, and a restart reads them. A journal that several replicas
 * share also delivers the changes of the other replicas. Times are milliseconds since the epoch; authors are SPIFFE
 * IDs. `Sealed` is the form of a sealed content: its bytes, or its place in memory that threads share.
 */
export type Change<Sealed = Buffer> = PutChange<Sealed> | DeleteChange;

/**
 * One version of the changed secret, and the revision that created this version. The journal finds the row of the
 * version by the revision. The revision is undefined if an earlier entry of the same group creates the version, because
 * revisions are assigned at the commit.
 */
export interface VersionRef {
  readonly version: number;
  readonly revision: number | undefined;
}

/** Adds a version. The same commit removes the versions in `pruned`. */
export interface PutChange<Sealed = Buffer> {
  readonly kind: "put";
  readonly path: SecretPath;
  readonly version: number;
  readonly sealed: Sealed;
  readonly time: number;
  readonly author: string;
  readonly pruned: readonly VersionRef[];
}

/** Marks versions as deleted. Their sealed content is retained. */
export interface DeleteChange {
  readonly kind: "delete";
  readonly path: SecretPath;
  readonly versions: readonly VersionRef[];
  readonly time: number;
  readonly author: string;
}

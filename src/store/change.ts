import type { SecretPath } from "../domain/secret-path.ts";

/**
 * A change of state, as a value: what a commit writes, what a restart reads, and what another replica's feed brings.
 * Times are milliseconds since the epoch, authors SPIFFE IDs.
 */
export type Change = PutChange | DeleteChange;

/**
 * One version of the change's secret, and the revision that created it, by which the journal finds its row. The
 * revision is undefined when an earlier entry of the same group creates the version: it has none before the commit.
 */
export interface VersionRef {
  readonly version: number;
  readonly revision: number | undefined;
}

/** A new version; `pruned` are the versions that go with the same commit. */
export interface PutChange {
  readonly kind: "put";
  readonly path: SecretPath;
  readonly version: number;
  readonly sealed: Buffer;
  readonly time: number;
  readonly author: string;
  readonly pruned: readonly VersionRef[];
}

/** Versions marked as deleted; their sealed content stays. */
export interface DeleteChange {
  readonly kind: "delete";
  readonly path: SecretPath;
  readonly versions: readonly VersionRef[];
  readonly time: number;
  readonly author: string;
}

import type { SecretPath } from "../domain/secret-path.ts";
import type { SettingsValues } from "./settings.ts";

/**
 * A change of one secret, as a value. A commit writes changes, and a restart reads them. A journal that several replicas
 * share also delivers the changes of the other replicas. Times are milliseconds since the epoch; authors are SPIFFE IDs,
 * or empty if the server made the change because time has passed. `Sealed` is the form of a sealed content: its bytes, or
 * its place in memory that threads share.
 */
export type Change<Sealed = Buffer> = PutChange<Sealed> | StateChange | SettingsChange | PurgeChange | ForgetChange;

/** What every change has. */
interface Made {
  readonly path: SecretPath;
  readonly time: number;
  readonly author: string;
}

/**
 * One version of the changed secret, and its row (see {@link PutChange.rowsBefore}). The row is undefined if an earlier
 * entry of the same group, or an earlier change of the same entry, creates the version, because revisions are assigned at
 * the commit.
 */
export interface VersionRef {
  readonly version: number;
  readonly row: number | undefined;
}

/** Adds a version. The same commit removes the versions in `pruned`. */
export interface PutChange<Sealed = Buffer> extends Made {
  readonly kind: "put";
  readonly version: number;
  readonly sealed: Sealed;
  /** When the version expires; undefined if it does not. */
  readonly expireTime: number | undefined;
  /**
   * The journal has a row for each version. An entry with several puts takes one row for each, and the number of the
   * last one is the revision of the entry. `rowsBefore` is the number of rows of the same entry after that of this put,
   * so that `revision - rowsBefore` is the row of this version. It is 0 in an entry with one put.
   */
  readonly rowsBefore: number;
  readonly pruned: readonly VersionRef[];
}

/** The state of a version that a change sets. */
export type VersionStateKind = "live" | "deleted" | "destroyed" | "expired";

/**
 * Sets the state of versions. `destroyed` and `expired` also remove the sealed content: `expired` is set only when the
 * content is removed because the time of expiry has passed.
 */
export interface StateChange extends Made {
  readonly kind: "state";
  readonly state: VersionStateKind;
  readonly versions: readonly VersionRef[];
}

/** Replaces the settings of a secret. The same commit removes the versions in `pruned`. */
export interface SettingsChange extends Made {
  readonly kind: "settings";
  readonly settings: SettingsValues;
  readonly pruned: readonly VersionRef[];
}

/** Removes a secret with its settings, and leaves a tombstone. */
export interface PurgeChange extends Made {
  readonly kind: "purge";
  /** The number of the newest version; 0 if the secret had none and there was no tombstone. */
  readonly lastVersion: number;
  /** All versions of the secret. Empty for a tombstone that a restart reads. */
  readonly versions: readonly VersionRef[];
}

/** Removes the tombstone of a secret, because its retention has passed. */
export interface ForgetChange extends Made {
  readonly kind: "forget";
}

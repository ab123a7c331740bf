import type { SecretPath } from "../domain/secret-path.ts";
import type { VersionRef, VersionStateKind } from "./change.ts";
import type { Revision } from "./revision.ts";
import type { SealedBytes } from "./sealed-contents.ts";
import { DEFAULT_SETTINGS, type Settings } from "./settings.ts";

/** What the store keeps for a path. Immutable: a change creates a new object. */
export type Stored = StoredSecret | Tombstone;

/** A secret and its retained versions, ascending. It has no version if only its settings were set. */
export interface StoredSecret {
  readonly kind: "secret";
  readonly path: SecretPath;
  readonly versions: readonly Version[];
  readonly settings: Settings;
  /** The revision of its last change; {@link UNCOMMITTED} in a draft. */
  readonly revision: Revision;
}

/** What remains of a purged secret, so that its version numbers are not used again. */
export interface Tombstone {
  readonly kind: "tombstone";
  readonly path: SecretPath;
  /** The number of the last version before the purge; 0 if there was none. */
  readonly lastVersion: number;
  /** The revision of the purge; {@link UNCOMMITTED} in a draft. */
  readonly revision: Revision;
  /** When the secret was purged, and the SPIFFE ID of the caller. */
  readonly time: number;
  readonly by: string;
}

/** One version of a secret. Times are milliseconds since the epoch; authors are SPIFFE IDs. */
export interface Version {
  readonly number: number;
  /** The revision that created this version; {@link UNCOMMITTED} in a draft. */
  readonly revision: Revision;
  /** See {@link PutChange.rowsBefore}: the row of this version is `revision - rowsBefore`. */
  readonly rowsBefore: number;
  readonly createTime: number;
  readonly createdBy: string;
  /** When the version expires; undefined if it does not. */
  readonly expireTime: number | undefined;
  /** {@link NO_CONTENT} if the state is destroyed or expired. */
  readonly sealed: SealedBytes;
  readonly state: VersionState;
}

/** The state of a version that a change has set, and this change. See {@link stateAt}. */
export interface VersionState {
  readonly kind: VersionStateKind;
  readonly time: number;
  /** The SPIFFE ID of the caller; empty if the server made the change because the version expired. */
  readonly by: string;
  readonly revision: Revision;
}

/** The placeholder in a draft for a revision that the journal has not assigned yet. */
export const UNCOMMITTED: Revision = 0;

/** The state of a version whose state was never changed. */
export const LIVE: VersionState = { kind: "live", time: 0, by: "", revision: 0 };

const NOTHING = Buffer.alloc(0);

/** The content of a version whose content was removed permanently. */
export const NO_CONTENT: SealedBytes = { length: 0, bytes: () => NOTHING };

/**
 * The state of a version at a time, in milliseconds since the epoch. From its expireTime on, a version is expired even
 * if the content is not removed yet. A destroyed version remains destroyed.
 */
export function stateAt({ state, expireTime }: Version, time: number): VersionStateKind {
  if (expireTime === undefined || expireTime > time || state.kind === "destroyed") return state.kind;
  return "expired";
}

/** The newest version, in any state; undefined if there is none yet. Pruning removes the lowest numbers. */
export function newest(secret: StoredSecret): Version | undefined {
  return secret.versions.at(-1);
}

/** The retained version with a number. */
export function findVersion(secret: StoredSecret, number: number): Version | undefined {
  return secret.versions.find((version) => version.number === number);
}

/** The retained versions that a change names. */
export function namedVersions({ versions }: StoredSecret, refs: readonly VersionRef[]): readonly Version[] {
  return refs.length === 0 ? [] : versions.filter((version) => isNamed(refs, version));
}

/** Whether a change names a version. */
export function isNamed(refs: readonly VersionRef[], { number }: Version): boolean {
  return refs.some(({ version }) => version === number);
}

/**
 * The number of the last version of a path, in any state, which `expected_version` has to equal. For a purged secret it
 * is that of the last version before the purge, even if its settings were set after the purge. 0 if there was no
 * version, or if the tombstone was removed after its retention.
 */
export function latestVersion(stored: Stored | undefined): number {
  if (stored === undefined) return 0;
  if (stored.kind === "tombstone") return stored.lastVersion;
  return newest(stored)?.number ?? stored.settings.firstVersion - 1;
}

/** The settings of a secret. If there is none, the settings with which the next change creates it. */
export function settingsOf(stored: Stored | undefined): Settings {
  if (stored?.kind === "secret") return stored.settings;
  return stored === undefined ? DEFAULT_SETTINGS : { ...DEFAULT_SETTINGS, firstVersion: stored.lastVersion + 1 };
}

/** The reference to a version in a change. */
export function versionRef({ number, revision, rowsBefore }: Version): VersionRef {
  return { version: number, row: revision === UNCOMMITTED ? undefined : revision - rowsBefore };
}

/** The time of the last change of a secret. */
export function lastChangeTime({ settings, versions }: StoredSecret): number {
  let last = { revision: settings.revision, time: settings.time };
  for (const { revision, createTime, state } of versions) {
    if (revision >= last.revision) last = { revision, time: createTime };
    if (state.revision >= last.revision) last = state;
  }
  return last.time;
}

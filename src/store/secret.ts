import type { SecretPath } from "../domain/secret-path.ts";
import type { Change, DeleteChange, PutChange, VersionRef } from "./change.ts";
import type { Revision } from "./journal.ts";
import type { SealedBytes } from "./sealed-contents.ts";

/** The state of a version. */
type VersionStatus =
  | { readonly kind: "live" }
  /** Marked as deleted. The sealed content is retained. */
  | { readonly kind: "deleted"; readonly time: number; readonly by: string; readonly revision: Revision };

/** One version of a secret. Times are milliseconds since the epoch; authors are SPIFFE IDs. */
export interface Version {
  readonly number: number;
  /** The revision that created this version; {@link UNCOMMITTED} in a draft. */
  readonly revision: Revision;
  readonly createTime: number;
  readonly createdBy: string;
  readonly sealed: SealedBytes;
  readonly state: VersionStatus;
}

/** A secret and its retained versions, ascending; there is at least one. Immutable: a change creates a new object. */
export interface StoredSecret {
  readonly path: SecretPath;
  readonly versions: readonly Version[];
}

/** The placeholder in a draft for a revision that the journal has not assigned yet. */
export const UNCOMMITTED: Revision = 0;

const LIVE: VersionStatus = { kind: "live" };

/** Prepares sealed content for a version: packs its bytes into memory or, in a draft, leaves them unpacked. */
export type Pack<Sealed> = (sealed: Sealed) => SealedBytes;

/**
 * Returns the secret after a change. All states come from this one pure function: those of drafts, and those of memory
 * after a commit, a restart or another replica's change.
 */
export function applyChange<Sealed>(
  secret: StoredSecret | undefined,
  change: Change<Sealed>,
  revision: Revision,
  pack: Pack<Sealed>,
): StoredSecret {
  return change.kind === "put" ? applyPut(secret, change, revision, pack) : applyDelete(secret, change, revision);
}

function applyPut<Sealed>(
  secret: StoredSecret | undefined,
  change: PutChange<Sealed>,
  revision: Revision,
  pack: Pack<Sealed>,
): StoredSecret {
  const added: Version = {
    number: change.version,
    revision,
    createTime: change.time,
    createdBy: change.author,
    sealed: pack(change.sealed),
    state: LIVE,
  };
  if (secret === undefined) return { path: change.path, versions: [added] };
  const retained = secret.versions.filter((version) => !names(change.pruned, version));
  return { path: change.path, versions: [...retained, added] };
}

function applyDelete(secret: StoredSecret | undefined, change: DeleteChange, revision: Revision): StoredSecret {
  if (secret === undefined) throw new Error(`a change deletes versions of ${change.path}, which was never written`);
  const state: VersionStatus = { kind: "deleted", time: change.time, by: change.author, revision };
  const marked = (version: Version) => (names(change.versions, version) ? { ...version, state } : version);
  return { path: secret.path, versions: secret.versions.map(marked) };
}

function names(refs: readonly VersionRef[], version: Version): boolean {
  return refs.some((ref) => ref.version === version.number);
}

/** The newest version, in any state. It is always retained, because pruning removes the lowest numbers. */
export function newest(secret: StoredSecret): Version {
  const version = secret.versions.at(-1);
  if (version === undefined) throw new Error(`${secret.path} has no version`);
  return version;
}

/** The retained version with a number. */
export function findVersion(secret: StoredSecret, number: number): Version | undefined {
  return secret.versions.find((version) => version.number === number);
}

/** The reference to a version in a change. */
export function versionRef(version: Version): VersionRef {
  const { number, revision } = version;
  return { version: number, revision: revision === UNCOMMITTED ? undefined : revision };
}

/** The revision and the time of the last change of the secret. */
export function lastChange(secret: StoredSecret): { readonly revision: Revision; readonly time: number } {
  let last = { revision: UNCOMMITTED, time: 0 };
  for (const { revision, createTime, state } of secret.versions) {
    if (revision >= last.revision) last = { revision, time: createTime };
    if (state.kind === "deleted" && state.revision >= last.revision) last = state;
  }
  return last;
}

// Bytes of V8's memory for each secret, version and deletion, in addition to the lengths of paths and sealed contents:
// the object, its slots in maps and lists, and numbers that V8 stores outside the object. Measured after a full garbage
// collection (test/unit/store/memory-bound.test.ts), rounded up.
const SECRET_OVERHEAD = 150;
const VERSION_OVERHEAD = 190;
const DELETION_OVERHEAD = 80;

/** Bytes of V8's memory for each author, in addition to the length of the SPIFFE ID, which is stored once. */
export const AUTHOR_OVERHEAD = 100;

/**
 * The size of a secret in bytes of memory, as `--max-store-bytes` counts them. Threads share the sealed contents; of
 * everything else there are `copies`.
 */
export function memoryBytes({ path, versions }: StoredSecret, copies: number): number {
  let sealed = 0;
  let others = SECRET_OVERHEAD + path.length;
  for (const version of versions) {
    sealed += version.sealed.length;
    others += VERSION_OVERHEAD + (version.state.kind === "deleted" ? DELETION_OVERHEAD : 0);
  }
  return sealed + copies * others;
}

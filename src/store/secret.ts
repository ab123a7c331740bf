import type { SecretPath } from "../domain/secret-path.ts";
import type { Change, DeleteChange, PutChange, VersionRef } from "./change.ts";
import type { Revision } from "./journal.ts";
import type { SealedBytes } from "./sealed-memory.ts";

/** What became of a version. */
type VersionStatus =
  | { readonly kind: "live" }
  /** Marked as deleted; the sealed content is kept. */
  | { readonly kind: "deleted"; readonly time: number; readonly by: string; readonly revision: Revision };

/** One version of a secret. Times are milliseconds since the epoch, authors SPIFFE IDs. */
export interface Version {
  readonly number: number;
  /** The revision that created it; {@link UNCOMMITTED} in a draft. */
  readonly revision: Revision;
  readonly createTime: number;
  readonly createdBy: string;
  readonly sealed: SealedBytes;
  readonly state: VersionStatus;
}

/** A secret and its retained versions, ascending and at least one. Immutable: a change makes a new one. */
export interface StoredSecret {
  readonly path: SecretPath;
  readonly versions: readonly Version[];
}

/** Stands in a draft for the revision that the journal has yet to assign. */
export const UNCOMMITTED: Revision = 0;

const LIVE: VersionStatus = { kind: "live" };

/** What sealed bytes become in a version: kept in memory, or, in a draft, left as they are. */
export type Keep = (sealed: Buffer) => SealedBytes;

/**
 * The secret after a change. This one pure function makes every state there is: of drafts, of memory after a commit,
 * after a restart, and after another replica's change.
 */
export function applyChange(
  secret: StoredSecret | undefined,
  change: Change,
  revision: Revision,
  keep: Keep,
): StoredSecret {
  return change.kind === "put" ? applyPut(secret, change, revision, keep) : applyDelete(secret, change, revision);
}

function applyPut(secret: StoredSecret | undefined, change: PutChange, revision: Revision, keep: Keep): StoredSecret {
  const added: Version = {
    number: change.version,
    revision,
    createTime: change.time,
    createdBy: change.author,
    sealed: keep(change.sealed),
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

/** The newest version, whatever its state. It is always retained: pruning takes the lowest number. */
export function newest(secret: StoredSecret): Version {
  const version = secret.versions.at(-1);
  if (version === undefined) throw new Error(`${secret.path} has no version`);
  return version;
}

/** A retained version by its number. */
export function findVersion(secret: StoredSecret, number: number): Version | undefined {
  return secret.versions.find((version) => version.number === number);
}

/** The name of a version in a change. */
export function versionRef(version: Version): VersionRef {
  const { number, revision } = version;
  return { version: number, revision: revision === UNCOMMITTED ? undefined : revision };
}

/** The last change of the secret: its revision and its time. */
export function lastChange(secret: StoredSecret): { readonly revision: Revision; readonly time: number } {
  let last = { revision: UNCOMMITTED, time: 0 };
  for (const { revision, createTime, state } of secret.versions) {
    if (revision >= last.revision) last = { revision, time: createTime };
    if (state.kind === "deleted" && state.revision >= last.revision) last = state;
  }
  return last;
}

// What V8 holds for each beside the bytes counted: the record, its slots in maps and lists, and numbers outside of the
// record. Measured after a full collection (test/unit/store/memory-bound.test.ts), rounded up.
const SECRET_OVERHEAD = 150;
const VERSION_OVERHEAD = 190;
const DELETION_OVERHEAD = 80;

/** The same for an author, whose name is kept once. */
export const AUTHOR_OVERHEAD = 100;

/** Bytes of memory that a secret costs, as `--max-store-bytes` counts them. */
export function memoryBytes(secret: StoredSecret | undefined): number {
  if (secret === undefined) return 0;
  return (
    SECRET_OVERHEAD + secret.path.length + secret.versions.reduce((sum, version) => sum + versionBytes(version), 0)
  );
}

function versionBytes({ sealed, state }: Version): number {
  return sealed.length + VERSION_OVERHEAD + (state.kind === "deleted" ? DELETION_OVERHEAD : 0);
}

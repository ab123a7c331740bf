import type { Change, PurgeChange, PutChange, SettingsChange, StateChange, VersionRef } from "./change.ts";
import type { Revision } from "./revision.ts";
import type { SealedBytes } from "./sealed-contents.ts";
import { LIVE, NO_CONTENT, type Stored, type StoredSecret, type Tombstone, type Version, isNamed } from "./secret.ts";
import { DEFAULT_SETTINGS } from "./settings.ts";

/** The form in which a change carries a sealed content: see {@link SealedContents}. */
export interface Measured {
  readonly length: number;
}

/** Prepares sealed content for a version: packs its bytes into memory or, in a draft, leaves them unpacked. */
export type Pack<Sealed> = (sealed: Sealed) => SealedBytes;

/**
 * Returns what the store keeps for a path after a change. All states come from this one pure function: those of drafts,
 * and those of memory after a commit, a restart or another replica's change.
 */
export function applyChange<Sealed extends Measured>(
  before: Stored | undefined,
  change: Change<Sealed>,
  revision: Revision,
  pack: Pack<Sealed>,
): Stored | undefined {
  switch (change.kind) {
    case "put":
      return applyPut(secretBefore(before, change), change, revision, pack);
    case "state":
      return applyState(secretBefore(before, change), change, revision);
    case "settings":
      return applySettings(before, change, revision);
    case "purge":
      return applyPurge(change, revision);
    case "forget":
      return undefined;
  }
}

/**
 * Whether a change removes sealed content permanently. Pruning does not count, because no answer promises that pruned
 * content is gone.
 */
export function erases(change: Change<unknown>): boolean {
  return change.kind === "purge" || (change.kind === "state" && removesContent(change));
}

function applyPut<Sealed extends Measured>(
  secret: StoredSecret | undefined,
  change: PutChange<Sealed>,
  revision: Revision,
  pack: Pack<Sealed>,
): StoredSecret {
  const added: Version = {
    number: change.version,
    revision,
    rowsBefore: change.rowsBefore,
    createTime: change.time,
    createdBy: change.author,
    expireTime: change.expireTime,
    sealed: change.sealed.length === 0 ? NO_CONTENT : pack(change.sealed),
    state: LIVE,
  };
  if (secret === undefined) {
    return { kind: "secret", path: change.path, versions: [added], settings: DEFAULT_SETTINGS, revision };
  }
  const { path, settings } = secret;
  const versions = [...retained(secret.versions, change.pruned), added];
  return { kind: "secret", path, versions, settings, revision };
}

function applyState(secret: StoredSecret | undefined, change: StateChange, revision: Revision): StoredSecret {
  if (secret === undefined) throw new Error(`a change of ${change.path}, which has no version`);
  const { state: kind, time, author: by } = change;
  const state = { kind, time, by, revision };
  const changed = (version: Version): Version => {
    if (!isNamed(change.versions, version)) return version;
    return { ...version, state, sealed: removesContent(change) ? NO_CONTENT : version.sealed };
  };
  return { ...secret, versions: secret.versions.map(changed), revision };
}

function applySettings(before: Stored | undefined, change: SettingsChange, revision: Revision): StoredSecret {
  const settings = { ...change.settings, revision, time: change.time };
  const versions = before?.kind === "secret" ? retained(before.versions, change.pruned) : [];
  return { kind: "secret", path: change.path, versions, settings, revision };
}

function applyPurge({ path, lastVersion, time, author: by }: PurgeChange, revision: Revision): Tombstone {
  return { kind: "tombstone", path, lastVersion, revision, time, by };
}

/** A tombstone has to be replaced by settings before anything else changes. */
function secretBefore(before: Stored | undefined, { path }: { path: string }): StoredSecret | undefined {
  if (before?.kind === "tombstone") throw new Error(`a change of ${path}, which was purged`);
  return before;
}

function removesContent({ state }: StateChange): boolean {
  return state === "destroyed" || state === "expired";
}

function retained(versions: readonly Version[], pruned: readonly VersionRef[]): readonly Version[] {
  return pruned.length === 0 ? versions : versions.filter((version) => !isNamed(pruned, version));
}

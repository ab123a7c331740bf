import { MAX_VERSIONS } from "../contract/limits.ts";
import { secretNotFound, storeFull, versionMismatch, versionNotFound } from "../domain/errors.ts";
import type { SecretPath } from "../domain/secret-path.ts";
import { versionContext } from "../sealing/context.ts";
import type { Sealer } from "../sealing/sealer.ts";
import type { DeleteChange, PutChange } from "./change.ts";
import type { Draft } from "./draft.ts";
import type { JournalEntry, Revision } from "./journal.ts";
import type { ReadableMemory } from "./memory.ts";
import { type StoredSecret, type Version, findVersion, lastChange, newest, versionRef } from "./secret.ts";

/**
 * A change that a caller requests. `plan` validates it against the draft, and throws a CofferError if it is refused.
 * `plan` is called again with another draft if another replica committed first.
 */
export interface Operation<T> {
  plan(draft: Draft): Plan<T>;
  /** The operation is answered and will not be planned again. Overwrites the secret values that it contains. */
  end(): void;
}

/** What an accepted operation will do, and how its caller will be answered. */
export type Plan<T> =
  | { readonly kind: "change"; readonly entry: JournalEntry; readonly answer: (revision: Revision) => T }
  /** There is nothing to change. The answer comes from memory, after the changes of the group are published. */
  | { readonly kind: "unchanged"; readonly answer: (memory: ReadableMemory) => T };

/**
 * Puts a new version. `expectedVersion` is the number of the newest version, in any state. 0 means that there is no
 * version yet, and undefined accepts any.
 */
export interface PutCommand {
  readonly path: SecretPath;
  /** The encoded content (content-format.ts). It is overwritten when the Put is answered. */
  readonly plaintext: Buffer;
  readonly expectedVersion: number | undefined;
  /** The SPIFFE ID of the caller. */
  readonly author: string;
}

/** The version that a Put created. `createTime` is milliseconds since the epoch. */
export interface PutResult {
  readonly version: number;
  readonly revision: Revision;
  readonly createTime: number;
}

/** Adds a version to a secret. Refused with VERSION_MISMATCH or STORE_FULL. */
export function putOperation(request: PutCommand, sealer: Sealer, maxStoreBytes: number): Operation<PutResult> {
  const { path, plaintext, expectedVersion, author } = request;
  return {
    plan(draft) {
      const secret = draft.get(path);
      expectLatest(secret, path, expectedVersion);
      const version = latestVersion(secret) + 1;
      const sealed = sealer.seal(plaintext, versionContext(path, version));
      const pruned = secret === undefined ? [] : secret.versions.slice(0, -(MAX_VERSIONS - 1)).map(versionRef);
      const change: PutChange = { kind: "put", path, version, sealed, time: draft.time, author, pruned };
      const effect = draft.effect(change);
      if (effect.growth > 0 && draft.bytes + effect.growth > maxStoreBytes) throw storeFull(maxStoreBytes);
      draft.accept(effect);
      return {
        kind: "change",
        entry: { changes: [change] },
        answer: (revision) => ({ version, revision, createTime: change.time }),
      };
    },
    end: () => void plaintext.fill(0),
  };
}

/** Marks versions as deleted. `expectedVersion` is as in {@link PutCommand}, but never 0. */
export interface DeleteCommand {
  readonly path: SecretPath;
  /** If empty, the newest version. */
  readonly versions: readonly number[];
  readonly expectedVersion: number | undefined;
  /** The SPIFFE ID of the caller. */
  readonly author: string;
}

/** The versions that a Delete marked. If there are none, `revision` is that of the secret's last change. */
export interface DeleteResult {
  /** Only the versions that this call marked, ascending. */
  readonly versions: readonly number[];
  readonly revision: Revision;
}

/**
 * Marks all of the named versions as deleted, or none. Refused with SECRET_NOT_FOUND, VERSION_NOT_FOUND or
 * VERSION_MISMATCH.
 */
export function deleteOperation(request: DeleteCommand): Operation<DeleteResult> {
  const { path, expectedVersion, author } = request;
  return {
    plan(draft) {
      const secret = draft.get(path);
      if (secret === undefined) throw secretNotFound(path);
      expectLatest(secret, path, expectedVersion);
      const live = namedVersions(secret, request.versions).filter((version) => version.state.kind === "live");
      if (live.length === 0) {
        return { kind: "unchanged", answer: (memory) => ({ versions: [], ...lastRevision(memory, path) }) };
      }
      const versions = live.map(versionRef);
      const change: DeleteChange = { kind: "delete", path, versions, time: draft.time, author };
      draft.accept(draft.effect(change));
      return {
        kind: "change",
        entry: { changes: [change] },
        answer: (revision) => ({ versions: live.map((version) => version.number), revision }),
      };
    },
    end: () => {},
  };
}

function latestVersion(secret: StoredSecret | undefined): number {
  return secret === undefined ? 0 : newest(secret).number;
}

function expectLatest(secret: StoredSecret | undefined, path: SecretPath, expected: number | undefined): void {
  const latest = latestVersion(secret);
  if (expected !== undefined && expected !== latest) throw versionMismatch(path, expected, latest);
}

function namedVersions(secret: StoredSecret, numbers: readonly number[]): Version[] {
  if (numbers.length === 0) return [newest(secret)];
  const ascending = [...new Set(numbers)].sort((a, b) => a - b);
  return ascending.map((number) => {
    const version = findVersion(secret, number);
    if (version === undefined) throw versionNotFound(secret.path, number);
    return version;
  });
}

function lastRevision(memory: ReadableMemory, path: SecretPath): { revision: Revision } {
  const secret = memory.get(path);
  if (secret === undefined) throw secretNotFound(path);
  return { revision: lastChange(secret).revision };
}

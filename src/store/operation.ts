import { MAX_VERSIONS } from "../contract/limits.ts";
import type { Content } from "../domain/content.ts";
import { secretNotFound, storeFull, versionMismatch, versionNotFound } from "../domain/errors.ts";
import type { SecretPath } from "../domain/secret-path.ts";
import { versionContext } from "../sealing/context.ts";
import type { Sealer } from "../sealing/sealer.ts";
import type { DeleteChange, PutChange } from "./change.ts";
import { encodeContent } from "./content-format.ts";
import type { Draft } from "./draft.ts";
import type { JournalEntry, Revision } from "./journal.ts";
import type { Memory } from "./memory.ts";
import { type StoredSecret, type Version, findVersion, lastChange, newest, versionRef } from "./secret.ts";

/**
 * Something that a caller wants changed. `plan` validates it against the draft, and throws a CofferError when it is
 * refused. It may be called again, against another draft, when other replicas were faster.
 */
export interface Operation<T> {
  plan(draft: Draft): Plan<T>;
}

/** What an accepted operation will do, and what its caller is told afterwards. */
export type Plan<T> =
  | { readonly kind: "change"; readonly entry: JournalEntry; readonly answer: (revision: Revision) => T }
  /** Everything is as the caller wants it. Answered from memory, as it is after the group. */
  | { readonly kind: "unchanged"; readonly answer: (memory: Memory) => T };

/** A new version to be made. `expectedVersion` is the latest one, whatever its state; 0: none yet; undefined: any. */
export interface PutCommand {
  readonly path: SecretPath;
  readonly content: Content;
  readonly expectedVersion: number | undefined;
  /** The SPIFFE ID of the caller. */
  readonly author: string;
}

/** The version that was made. `createTime` is milliseconds since the epoch. */
export interface PutResult {
  readonly version: number;
  readonly revision: Revision;
  readonly createTime: number;
}

/** A new version of a secret. */
export function putOperation(request: PutCommand, sealer: Sealer, maxStoreBytes: number): Operation<PutResult> {
  const { path, content, expectedVersion, author } = request;
  return {
    plan(draft) {
      const secret = draft.get(path);
      expectLatest(secret, path, expectedVersion);
      const version = latestVersion(secret) + 1;
      const plaintext = encodeContent(content);
      const sealed = sealer.seal(plaintext, versionContext(path, version));
      plaintext.fill(0);
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
  };
}

/** Versions to be marked as deleted. `expectedVersion` as for a Put, though never 0. */
export interface DeleteCommand {
  readonly path: SecretPath;
  /** Empty: the newest. */
  readonly versions: readonly number[];
  readonly expectedVersion: number | undefined;
  /** The SPIFFE ID of the caller. */
  readonly author: string;
}

/** What was marked. `revision` is that of the secret's last change when nothing was. */
export interface DeleteResult {
  /** Those that this call changed, ascending. */
  readonly versions: readonly number[];
  readonly revision: Revision;
}

/** Versions marked as deleted: all that are named, or none. */
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

function lastRevision(memory: Memory, path: SecretPath): { revision: Revision } {
  const secret = memory.get(path);
  if (secret === undefined) throw secretNotFound(path);
  return { revision: lastChange(secret).revision };
}

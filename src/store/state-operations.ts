import { secretNotFound, versionDestroyed, versionExpired, versionNotFound } from "../domain/errors.ts";
import type { VersionStateKind } from "./change.ts";
import type { OperationResult, PurgeCommand, VersionsCommand } from "./command.ts";
import type { Fork } from "./draft.ts";
import { requireConverged } from "./converged.ts";
import { expectLatest, requireVersions } from "./expectation.ts";
import { type StoredSecret, type Version, findVersion, latestVersion, stateAt, versionRef } from "./secret.ts";
import type { WatcherVersions } from "./watch-registry.ts";

/**
 * Plans a Delete, an Undelete or a Destroy: changes the state of all of the named versions, or of none. Throws
 * SECRET_NOT_FOUND, VERSION_MISMATCH, NOT_CONVERGED or VERSION_NOT_FOUND, and for an Undelete VERSION_DESTROYED or
 * VERSION_EXPIRED.
 */
export function planVersions(fork: Fork, command: VersionsCommand, watchers: WatcherVersions): OperationResult {
  const { kind, path, expectedVersion, convergence } = command;
  const secret = requireVersions(fork.get(path), path);
  expectLatest(secret, path, expectedVersion);
  if (convergence !== undefined) requireConverged(fork, secret, watchers, convergence);
  const named = namedVersions(secret, command.versions);
  if (kind === "destroy") removeExpired(fork, secret, named);
  const changed = named.filter((version) => CHANGED[kind](stateAt(version, fork.time), version, secret));
  setState(fork, secret, TARGET[kind], changed);
  return { versions: changed.map(({ number }) => number), expireTime: undefined };
}

/** Plans a Purge. Throws SECRET_NOT_FOUND or VERSION_MISMATCH. */
export function planPurge(fork: Fork, { path, expectedVersion }: PurgeCommand): OperationResult {
  const secret = fork.get(path);
  if (secret?.kind !== "secret") throw secretNotFound(path);
  expectLatest(secret, path, expectedVersion);
  const { time, author } = fork;
  const lastVersion = latestVersion(secret);
  fork.apply({ kind: "purge", path, time, author, lastVersion, versions: secret.versions.map(versionRef) });
  return { versions: lastVersion === 0 ? [] : [lastVersion], expireTime: undefined };
}

/**
 * Removes the content of versions of one secret that have expired. The server is the author, so that the result does not
 * depend on whether the sweeper or a Destroy is first.
 */
export function removeExpired(fork: Fork, secret: StoredSecret, versions: readonly Version[]): void {
  const withContent = versions.filter(
    (version) => version.state.kind !== "expired" && stateAt(version, fork.time) === "expired",
  );
  setState(fork, secret, "expired", withContent, "");
}

function setState(
  fork: Fork,
  { path }: StoredSecret,
  state: VersionStateKind,
  versions: readonly Version[],
  author = fork.author,
): void {
  if (versions.length === 0) return;
  fork.apply({ kind: "state", path, state, time: fork.time, author, versions: versions.map(versionRef) });
}

const TARGET = { delete: "deleted", undelete: "live", destroy: "destroyed" } as const;

/** Whether an operation changes a version that is in a state. Throws if it may not be in that state. */
const CHANGED: Readonly<
  Record<VersionsCommand["kind"], (state: VersionStateKind, version: Version, secret: StoredSecret) => boolean>
> = {
  delete: (state) => state === "live",
  destroy: (state) => state === "live" || state === "deleted",
  undelete: (state, { number, expireTime, state: { time } }, { path }) => {
    if (state === "destroyed") throw versionDestroyed(path, number);
    if (state === "expired") throw versionExpired(path, number, expireTime ?? time);
    return state === "deleted";
  },
};

function namedVersions(secret: StoredSecret, numbers: readonly number[]): readonly Version[] {
  if (numbers.length === 0) return secret.versions.slice(-1);
  const ascending = [...new Set(numbers)].sort((a, b) => a - b);
  return ascending.map((number) => {
    const version = findVersion(secret, number);
    if (version === undefined) throw versionNotFound(secret.path, number);
    return version;
  });
}

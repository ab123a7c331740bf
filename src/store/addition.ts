import { invalidField } from "../domain/errors.ts";
import type { SecretPath } from "../domain/secret-path.ts";
import { versionContext } from "../sealing/context.ts";
import type { Sealer } from "../sealing/sealer.ts";
import type { Expiry, OperationResult } from "./command.ts";
import { contentBytes } from "./content-format.ts";
import type { Fork } from "./draft.ts";
import { type Stored, type Version, latestVersion, settingsOf, versionRef } from "./secret.ts";

/** What the operations of one command need to be planned. */
export interface Planning {
  readonly fork: Fork;
  readonly sealer: Sealer;
  /** The maximum size of a content in bytes, keys and values together. */
  readonly maxContentBytes: number;
  /** The number of operations of the command that add a version and are not planned yet. */
  unplannedAdditions: number;
  /** The bytes of the keys and values of the versions that the planned operations add. */
  addedBytes: number;
}

/** A version to add. The plaintext is an encoded content (content-format.ts). */
export interface Addition {
  readonly path: SecretPath;
  readonly plaintext: Buffer;
  readonly expiry: Expiry;
}

/**
 * Seals and adds a version, and prunes those that exceed max_versions. A purged secret begins with new settings, which
 * continue its version numbers.
 */
export function addVersion(planning: Planning, { path, plaintext, expiry }: Addition): OperationResult {
  const { fork, sealer } = planning;
  const { time, author } = fork;
  const before = fork.get(path);
  const settings = settingsOf(before);
  const expireTime = expireTimeOf(expiry, settings.defaultTtl, time);
  if (before?.kind === "tombstone") fork.apply({ kind: "settings", path, time, author, settings, pruned: [] });
  const version = latestVersion(before) + 1;
  const sealed = sealer.seal(plaintext, versionContext(path, version));
  planning.addedBytes += contentBytes(plaintext);
  planning.unplannedAdditions -= 1;
  const rowsBefore = planning.unplannedAdditions;
  const pruned = surplus(before, settings.maxVersions - 1).map(versionRef);
  fork.apply({ kind: "put", path, version, sealed, expireTime, rowsBefore, pruned, time, author });
  return { versions: [version], expireTime };
}

/** The lowest versions of a secret, if it has more than `retained`. */
export function surplus(stored: Stored | undefined, retained: number): readonly Version[] {
  if (stored?.kind !== "secret" || stored.versions.length <= retained) return [];
  return stored.versions.slice(0, stored.versions.length - retained);
}

function expireTimeOf(expiry: Expiry, defaultTtl: number | undefined, now: number): number | undefined {
  switch (expiry.kind) {
    case "default":
      return defaultTtl === undefined ? undefined : now + defaultTtl;
    case "after":
      return now + expiry.ms;
    case "at":
      if (expiry.time <= now) throw invalidField("expire_time", "has passed; it has to be in the future");
      return expiry.time;
  }
}

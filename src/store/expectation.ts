import { casRequired, secretNotFound, versionMismatch } from "../domain/errors.ts";
import type { SecretPath } from "../domain/secret-path.ts";
import { type Stored, type StoredSecret, latestVersion, settingsOf } from "./secret.ts";

/** The secret at a path. Throws SECRET_NOT_FOUND if no version of it is retained. */
export function requireVersions(stored: Stored | undefined, path: SecretPath): StoredSecret {
  if (stored?.kind !== "secret" || stored.versions.length === 0) throw secretNotFound(path);
  return stored;
}

/** Throws VERSION_MISMATCH if a version is expected and it is not the latest one. */
export function expectLatest(stored: Stored | undefined, path: SecretPath, expected: number | undefined): void {
  const latest = latestVersion(stored);
  if (expected !== undefined && expected !== latest) throw versionMismatch(path, expected, latest);
}

/**
 * As {@link expectLatest}, for an operation that adds a version. Also throws CAS_REQUIRED if the secret requires an
 * expected version.
 */
export function expectReplaced(stored: Stored | undefined, path: SecretPath, expected: number | undefined): void {
  if (expected === undefined && settingsOf(stored).casRequired) throw casRequired(path);
  expectLatest(stored, path, expected);
}

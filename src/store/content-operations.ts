import { MAX_KEYS } from "../contract/limits.ts";
import { Content } from "../domain/content.ts";
import { invalidField, limitExceeded } from "../domain/errors.ts";
import type { SecretPath } from "../domain/secret-path.ts";
import { type Planning, addVersion } from "./addition.ts";
import type { CopyCommand, OperationResult, PatchCommand, PutCommand } from "./command.ts";
import { decodeContent, encodeContent } from "./content-format.ts";
import { expectReplaced, requireVersions } from "./expectation.ts";
import { openVersion, readableVersion } from "./readable-version.ts";

const FIELDS = [
  ["text", "data"],
  ["binary", "binary_data"],
] as const;

/** Plans a Put. Throws VERSION_MISMATCH, CAS_REQUIRED, or INVALID_FIELD for an expire_time that has passed. */
export function planPut(planning: Planning, { path, plaintext, expiry, expectedVersion }: PutCommand): OperationResult {
  expectReplaced(planning.fork.get(path), path, expectedVersion);
  return addVersion(planning, { path, plaintext, expiry });
}

/**
 * Plans a Patch. Throws the errors of a Put and of a Get of the newest version; also INVALID_FIELD or LIMIT_EXCEEDED if
 * the content would become empty or too large.
 */
export function planPatch(planning: Planning, command: PatchCommand): OperationResult {
  const { path, expectedVersion } = command;
  const { fork, sealer } = planning;
  const secret = requireVersions(fork.get(path), path);
  expectReplaced(secret, path, expectedVersion);
  const version = readableVersion(secret, 0, fork);
  fork.spend(version.sealed.length);
  const old = openVersion(sealer, path, version, decodeContent);
  try {
    const patched = patchedContent(old, command);
    checkLimits(patched, planning.maxContentBytes);
    return addCopy(planning, path, encodeContent(patched));
  } finally {
    old.dispose();
  }
}

/** Plans a Copy or a Restore. Throws the errors of a Get of the source, and of a Put to the target. */
export function planCopy(planning: Planning, command: CopyCommand): OperationResult {
  const { path, source, expectedVersion } = command;
  const { fork, sealer } = planning;
  const secret = requireVersions(fork.get(source), source);
  expectReplaced(fork.get(path), path, expectedVersion);
  const version = readableVersion(secret, command.version, fork);
  fork.spend(version.sealed.length);
  return addCopy(
    planning,
    path,
    openVersion(sealer, source, version, (opened) => opened),
  );
}

/** Adds a version that does not inherit an expiry, and overwrites the plaintext. */
function addCopy(planning: Planning, path: SecretPath, plaintext: Buffer): OperationResult {
  try {
    return addVersion(planning, { path, plaintext, expiry: { kind: "default" } });
  } finally {
    plaintext.fill(0);
  }
}

/**
 * The content after a Patch. Its values are views into the old content and into the command. A key to remove that does not
 * exist is ignored, as in a JSON merge patch (RFC 7396) and in KV v2.
 */
function patchedContent(old: Content, { plaintext, removed }: PatchCommand): Content {
  const entries = new Map(old.entries().map((entry) => [entry.key, entry]));
  for (const key of removed) entries.delete(key);
  for (const entry of decodeContent(plaintext).entries()) entries.set(entry.key, entry);
  return Content.unchecked([...entries.values()]);
}

/** The limits that a Put has for the whole content. */
function checkLimits(content: Content, maxBytes: number): void {
  const entries = content.entries();
  if (entries.length === 0) throw invalidField("remove", "has all keys of the secret; at least one has to remain");
  for (const [kind, field] of FIELDS) {
    const keys = entries.filter((entry) => entry.kind === kind).length;
    if (keys > MAX_KEYS) throw limitExceeded(field, MAX_KEYS, "keys", keys, `${field} of the patched content`);
  }
  const bytes = content.byteLength;
  if (bytes > maxBytes) throw limitExceeded("data", maxBytes, "bytes", bytes, "the patched content");
}

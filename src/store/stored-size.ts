import type { Label } from "./command.ts";
import { LIVE, type Stored, type StoredSecret, type Version } from "./secret.ts";
import { DEFAULT_SETTINGS, type Settings } from "./settings.ts";

// Bytes of V8's memory for each secret, version, change of a state and so on, in addition to the lengths of texts and
// sealed contents: the object, its slots in maps and lists, and numbers that V8 stores outside the object. Measured after
// a full garbage collection (test/unit/store/memory-bound.test.ts), rounded up.
const SECRET_OVERHEAD = 190;
const VERSION_OVERHEAD = 135;
const CONTENT_OVERHEAD = 70;
const STATE_OVERHEAD = 80;
const EXPIRY_OVERHEAD = 110;
const SETTINGS_OVERHEAD = 150;
const LABEL_OVERHEAD = 110;
const TOMBSTONE_OVERHEAD = 240;

/** Bytes of V8's memory for each author, in addition to the length of the SPIFFE ID, which is stored once. */
export const AUTHOR_OVERHEAD = 100;

/**
 * The size of what the store keeps for a path in bytes of memory, as `--max-store-bytes` counts them. Threads share the
 * sealed contents; of everything else there are `copies`.
 */
export function memoryBytes(stored: Stored, copies: number): number {
  if (stored.kind === "tombstone") return copies * (TOMBSTONE_OVERHEAD + stored.path.length);
  let sealed = 0;
  for (const version of stored.versions) sealed += version.sealed.length;
  return sealed + copies * describedBytes(stored);
}

/** The size of everything but the contents. */
function describedBytes({ path, versions, settings }: StoredSecret): number {
  let bytes = SECRET_OVERHEAD + path.length + settingsBytes(settings);
  for (const version of versions) bytes += versionBytes(version);
  return bytes;
}

function versionBytes({ sealed, state, expireTime }: Version): number {
  let bytes = VERSION_OVERHEAD;
  if (sealed.length > 0) bytes += CONTENT_OVERHEAD;
  if (state !== LIVE) bytes += STATE_OVERHEAD;
  if (expireTime !== undefined) bytes += EXPIRY_OVERHEAD;
  return bytes;
}

function settingsBytes(settings: Settings): number {
  if (settings === DEFAULT_SETTINGS) return 0;
  return settings.labels.reduce(
    (sum, label) => sum + labelBytes(label),
    SETTINGS_OVERHEAD + 2 * settings.description.length,
  );
}

function labelBytes([key, value]: Label): number {
  return LABEL_OVERHEAD + key.length + value.length;
}

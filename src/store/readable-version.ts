import {
  contentUnreadable,
  secretNotFound,
  versionDeleted,
  versionDestroyed,
  versionExpired,
  versionNotFound,
} from "../domain/errors.ts";
import type { SecretPath } from "../domain/secret-path.ts";
import { versionContext } from "../sealing/context.ts";
import { SealBroken, type Sealer } from "../sealing/sealer.ts";
import { type StoredSecret, type Version, findVersion, newest, stateAt } from "./secret.ts";

/**
 * Returns the version with this number, 0 being the newest, if it can be read at the time `at.time`. That property is
 * read only if the version can expire. Throws SECRET_NOT_FOUND if there is no version at all, VERSION_NOT_FOUND,
 * VERSION_DELETED, VERSION_DESTROYED or VERSION_EXPIRED.
 */
export function readableVersion(secret: StoredSecret, number: number, at: { readonly time: number }): Version {
  const { path } = secret;
  const last = newest(secret);
  if (last === undefined) throw secretNotFound(path);
  const version = number === 0 ? last : findVersion(secret, number);
  if (version === undefined) throw versionNotFound(path, number);
  switch (version.expireTime === undefined ? version.state.kind : stateAt(version, at.time)) {
    case "live":
      return version;
    case "deleted":
      throw versionDeleted(path, version.number);
    case "destroyed":
      throw versionDestroyed(path, version.number);
    case "expired":
      throw versionExpired(path, version.number, version.expireTime ?? version.state.time);
  }
}

/**
 * Decrypts a version, and passes the encoded content (content-format.ts) to `decode`. Returns the result, which the
 * caller must overwrite after use. Throws CONTENT_UNREADABLE.
 */
export function openVersion<Opened>(
  sealer: Sealer,
  path: SecretPath,
  { number, sealed }: Version,
  decode: (plaintext: Buffer) => Opened,
): Opened {
  try {
    return decode(sealer.open(sealed.bytes(), versionContext(path, number)));
  } catch (cause) {
    // Any other error is a bug in Coffer. CONTENT_UNREADABLE would make the operator look for damage on the disk.
    if (!(cause instanceof SealBroken || cause instanceof RangeError)) throw cause;
    throw contentUnreadable(path, number, cause);
  }
}

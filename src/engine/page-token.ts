import { MAX_PAGE_TOKEN_BYTES } from "../contract/limits.ts";
import { invalidPageToken, limitExceeded } from "../domain/errors.ts";
import { type PathPrefix, type SecretPath, parseSecretPath } from "../domain/secret-path.ts";
import type { SpiffeId } from "../identity/spiffe-id.ts";
import { pageTokenContext } from "../sealing/context.ts";
import type { Sealer } from "../sealing/sealer.ts";

/**
 * A page token is the last path that a page examined, sealed: the caller may not be allowed to know that path. It is
 * bound to the caller and the prefix, and opens as long as the store has the key.
 */
export function sealPageToken(sealer: Sealer, last: SecretPath, caller: SpiffeId, prefix: PathPrefix): string {
  return sealer.seal(Buffer.from(last), pageTokenContext(caller.toString(), prefix)).toString("base64url");
}

/** The path in a token. Throws INVALID_PAGE_TOKEN or LIMIT_EXCEEDED. */
export function openPageToken(sealer: Sealer, token: string, caller: SpiffeId, prefix: PathPrefix): SecretPath {
  const length = Buffer.byteLength(token);
  if (length > MAX_PAGE_TOKEN_BYTES) throw limitExceeded("page_token", MAX_PAGE_TOKEN_BYTES, "bytes", length);
  const sealed = Buffer.from(token, "base64url");
  // Node skips what is no base64url: without this, a token could be altered and still open.
  if (sealed.toString("base64url") !== token) throw invalidPageToken();
  try {
    return parseSecretPath(sealer.open(sealed, pageTokenContext(caller.toString(), prefix)).toString());
  } catch {
    throw invalidPageToken();
  }
}

import { MAX_PAGE_TOKEN_BYTES, MAX_PATH_BYTES } from "../contract/limits.ts";
import { invalidPageToken, limitExceeded } from "../domain/errors.ts";
import { parsePathPrefix } from "../domain/secret-path.ts";
import type { SpiffeId } from "../spiffe/spiffe-id.ts";
import { pageTokenContext } from "../sealing/context.ts";
import type { Sealer } from "../sealing/sealer.ts";

/** A character that no path contains. */
const PADDING = "\0";

/** For whom and for what a page token is valid. */
export interface TokenScope {
  readonly caller: SpiffeId;
  /** A text that two different queries never share. */
  readonly query: string;
}

/**
 * Makes a page token: the last path or folder of a page, sealed. All tokens have the same length, which hides the length
 * of the path. A token is bound to the caller and the query, and is valid as long as the store uses the same data key.
 */
export function sealPageToken(sealer: Sealer, last: string, { caller, query }: TokenScope): string {
  const padded = Buffer.from(last.padEnd(MAX_PATH_BYTES, PADDING));
  return sealer.seal(padded, pageTokenContext(caller.toString(), query)).toString("base64url");
}

/** Returns the path or folder in a token. Throws INVALID_PAGE_TOKEN or LIMIT_EXCEEDED. */
export function openPageToken(sealer: Sealer, token: string, { caller, query }: TokenScope): string {
  const length = Buffer.byteLength(token);
  if (length > MAX_PAGE_TOKEN_BYTES) throw limitExceeded("page_token", MAX_PAGE_TOKEN_BYTES, "bytes", length);
  const sealed = Buffer.from(token, "base64url");
  // Node skips characters that are not base64url. Without this check, an altered token could be accepted.
  if (sealed.toString("base64url") !== token) throw invalidPageToken();
  try {
    const padded = sealer.open(sealed, pageTokenContext(caller.toString(), query)).toString();
    return parsePathPrefix(padded.replace(/\0+$/, ""));
  } catch {
    throw invalidPageToken();
  }
}

/**
 * The limits that proto/coffer/v1/coffer.proto promises. Server and client read them here, so that neither can drift
 * from the other. Sizes are bytes, times milliseconds.
 */

/** The longest path of a secret. */
export const MAX_PATH_BYTES = 512;

/** The longest key of a value: what a Kubernetes Secret allows, so that content moves over without renaming. */
export const MAX_KEY_BYTES = 253;

/** The most keys that each of `data` and `binary_data` may have in one request. */
export const MAX_KEYS = 4096;

/** The largest content of one version, keys and values together, unless the server is configured otherwise. */
export const DEFAULT_MAX_CONTENT_BYTES = 1024 * 1024;

/** The most that the server may be configured for: with framing it must still fit into MAX_RECEIVE_BYTES. */
export const MAX_CONFIGURABLE_CONTENT_BYTES = 3 * 1024 * 1024;

/** A longer request is refused from its length alone, before it is buffered. */
export const MAX_RECEIVE_BYTES = 4 * 1024 * 1024;

/** How many versions of a secret are retained, in any state. */
export const MAX_VERSIONS = 10;

/** The most versions that one Delete may name. */
export const MAX_DELETE_VERSIONS = 1000;

/** The entries of a page of List when the caller does not say. */
export const DEFAULT_PAGE_SIZE = 100;

/** The most entries of a page of List; a larger wish is cut down to it. */
export const MAX_PAGE_SIZE = 1000;

/** The longest page token that is looked at: a sealed path, in base64url. */
export const MAX_PAGE_TOKEN_BYTES = 1024;

/** How long a call may take whose caller gave no deadline. */
export const DEFAULT_DEADLINE_MS = 30_000;

/**
 * The limits that proto/coffer/v1/coffer.proto documents. Server and client both read them here, so that they can't
 * differ. Sizes are in bytes, times in milliseconds.
 */

/** The maximum length of a path. */
export const MAX_PATH_BYTES = 512;

/**
 * The maximum length of a key. It is that of a Kubernetes Secret, so that contents can be copied without renaming keys.
 */
export const MAX_KEY_BYTES = 253;

/** The maximum number of keys in each of `data` and `binary_data` of one request. */
export const MAX_KEYS = 4096;

/** The default of the maximum size of one version's content, keys and values together. */
export const DEFAULT_MAX_CONTENT_BYTES = 1024 * 1024;

/** The highest value of --max-content-bytes. A request with a content of this size fits in MAX_RECEIVE_BYTES. */
export const MAX_CONFIGURABLE_CONTENT_BYTES = 3 * 1024 * 1024;

/** The maximum length of a request. A longer one is refused by its length prefix, before it is buffered. */
export const MAX_RECEIVE_BYTES = 4 * 1024 * 1024;

/** The number of versions of a secret that are retained, in any state. */
export const MAX_VERSIONS = 10;

/** The maximum number of versions in one Delete. */
export const MAX_DELETE_VERSIONS = 1000;

/** The number of entries of a page of List if the request does not set it. */
export const DEFAULT_PAGE_SIZE = 100;

/** The maximum number of entries of a page of List. A larger `page_size` is reduced to it. */
export const MAX_PAGE_SIZE = 1000;

/** The maximum length of a page token, which is a sealed path in base64url. */
export const MAX_PAGE_TOKEN_BYTES = 1024;

/** The deadline of a call whose caller set none. */
export const DEFAULT_DEADLINE_MS = 30_000;

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

/** The maximum number of keys in each list or map of keys of one request, such as `data` and `remove`. */
export const MAX_KEYS = 4096;

/** The default of the maximum size of one version's content, keys and values together. */
export const DEFAULT_MAX_CONTENT_BYTES = 1024 * 1024;

/** The highest value of --max-content-bytes. A request with a content of this size fits in MAX_RECEIVE_BYTES. */
export const MAX_CONFIGURABLE_CONTENT_BYTES = 3 * 1024 * 1024;

/** The maximum length of a request. A longer one is refused by its length prefix, before it is buffered. */
export const MAX_RECEIVE_BYTES = 4 * 1024 * 1024;

/**
 * The maximum number of fields of a request on the wire. Unknown and repeated fields, fields of nested messages, and
 * the entries of maps count too. A request of 4 MB can have two million fields, each of which takes half a microsecond.
 */
export const MAX_REQUEST_FIELDS = 16_384;

/** The maximum length of the answer of a BatchGet. It is what most gRPC clients receive by default. */
export const MAX_ANSWER_BYTES = 4 * 1024 * 1024;

/** The default of `max_versions`: how many versions of a secret are retained at most, in any state. */
export const MAX_VERSIONS = 10;

/** The highest value of `max_versions`. */
export const MAX_CONFIGURABLE_VERSIONS = 100;

/** The maximum number of versions in one Delete, Undelete or Destroy. */
export const MAX_NAMED_VERSIONS = 1000;

/** The maximum number of labels of a secret, and of labels in one request. */
export const MAX_LABELS = 64;

/** The maximum length of the name in the key of a label, and of the value of a label (Kubernetes, "Labels"). */
export const MAX_LABEL_BYTES = 63;

/** The maximum length of the optional prefix of a label's key, a DNS subdomain (Kubernetes, "Labels"). */
export const MAX_LABEL_PREFIX_BYTES = 253;

/** The maximum length of a description. */
export const MAX_DESCRIPTION_BYTES = 1024;

/** The shortest time to live. */
export const MIN_TTL_MS = 1;

/** The longest time to live: ten years of 365 days. */
export const MAX_TTL_MS = 10 * 365 * 24 * 60 * 60 * 1000;

/** How long the answer to a request with a request_id is kept. */
export const REQUEST_ID_MS = 24 * 60 * 60 * 1000;

/** The maximum number of operations in one Commit. */
export const MAX_OPERATIONS = 128;

/** The maximum number of guards in one Commit. */
export const MAX_GUARDS = 128;

/** The maximum number of paths in one BatchGet. */
export const MAX_BATCH_PATHS = 256;

/** The maximum number of paths and prefixes in one Watch. */
export const MAX_WATCHED = 128;

/** The maximum number of paths for which the caller of one Watch may report a version. */
export const MAX_REPORTED_PATHS = 10_000;

/**
 * The maximum number of these paths in all watches of the server together. They take about 120 MB of memory. One SPIFFE ID
 * may have half of what the others leave.
 */
export const MAX_REPORTED_PATHS_OF_ALL = 1_000_000;

/**
 * The number of these paths that each SPIFFE ID may have, also beyond {@link MAX_REPORTED_PATHS_OF_ALL}: as many as one Watch
 * can name.
 */
export const MIN_REPORTED_PATHS_OF_CALLER = 128;

/** The maximum length of the instance in a Report. */
export const MAX_INSTANCE_BYTES = 253;

/** The number of entries of a page of List if the request does not set it. */
export const DEFAULT_PAGE_SIZE = 100;

/** The maximum number of entries of a page of List. A larger `page_size` is reduced to it. */
export const MAX_PAGE_SIZE = 1000;

/** The maximum length of a page token, which is a sealed path in base64url. */
export const MAX_PAGE_TOKEN_BYTES = 1024;

/** The deadline of a call whose caller set none. */
export const DEFAULT_DEADLINE_MS = 30_000;

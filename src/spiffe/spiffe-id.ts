import { CharacterSet, showByte } from "./character-set.ts";
import { SpiffeIdError } from "./spiffe-id-error.ts";
import { TrustDomain } from "./trust-domain.ts";

/**
 * The longest SPIFFE ID, in bytes. SPIFFE-ID 2.3: implementations must support this length, and may refuse longer IDs.
 */
const MAX_SPIFFE_ID_BYTES = 2048;

// SPIFFE-ID 2. RFC 3986 allows other spellings of the scheme. They are refused, because an ID must not have two
// spellings.
const SCHEME = Buffer.from("spiffe://");

// SPIFFE-ID 2.2.
const SEGMENT = new CharacterSet(
  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_",
  "A-Z a-z 0-9 . _ - and / between segments",
);

const SLASH = 0x2f;

/**
 * A SPIFFE ID that satisfies SPIFFE-ID.md. Immutable. The parser reads bytes and does not use the URL class, which
 * would silently normalize its input: fold case, remove an empty fragment, resolve dot segments.
 */
export class SpiffeId {
  /** The trust domain that the ID belongs to. */
  readonly trustDomain: TrustDomain;
  /** Empty for the ID of a trust domain itself; otherwise it begins with a slash. */
  readonly path: string;
  readonly #text: string;

  private constructor(trustDomain: TrustDomain, path: string) {
    this.trustDomain = trustDomain;
    this.path = path;
    this.#text = `${SCHEME}${trustDomain.name}${path}`;
    Object.freeze(this);
  }

  /** Parses an ID. Throws {@link SpiffeIdError}; its message continues a sentence that begins with "the SPIFFE ID". */
  static parse(input: string | Uint8Array): SpiffeId {
    const bytes =
      typeof input === "string" ? Buffer.from(input) : Buffer.from(input.buffer, input.byteOffset, input.length);
    checkFrame(bytes);
    const slash = bytes.indexOf(SLASH, SCHEME.length);
    const end = slash === -1 ? bytes.length : slash;
    const trustDomain = parseAuthority(bytes.subarray(SCHEME.length, end));
    const path = bytes.subarray(end);
    checkPath(path);
    return new SpiffeId(trustDomain, path.toString("latin1"));
  }

  /** Whether it can name a workload. An ID without a path names only the trust domain (X509-SVID 5.2). */
  get isWorkload(): boolean {
    return this.path !== "";
  }

  /** Whether both IDs are equal. */
  equals(other: SpiffeId): boolean {
    return this.#text === other.#text;
  }

  /** The only spelling of this ID: `spiffe://trust-domain/path`. Two IDs are equal if their texts are. */
  toString(): string {
    return this.#text;
  }

  /** The same as {@link toString}. */
  toJSON(): string {
    return this.#text;
  }
}

/**
 * The trust domain of a bare name (`example.org`) or of any SPIFFE ID in it (`spiffe://example.org`). Implementations
 * of the Workload API use both forms as keys of bundles. Throws {@link SpiffeIdError}.
 */
export function trustDomainOf(nameOrId: string | Uint8Array): TrustDomain {
  const text = Buffer.from(nameOrId);
  return text.includes(":/") ? SpiffeId.parse(text).trustDomain : TrustDomain.parse(text);
}

/** Checks the rules for the ID as a whole: its length and its scheme. */
function checkFrame(bytes: Buffer): void {
  if (bytes.length === 0) throw new SpiffeIdError("empty", "is empty");
  if (bytes.length > MAX_SPIFFE_ID_BYTES) {
    throw new SpiffeIdError("too-long", `is longer than ${MAX_SPIFFE_ID_BYTES} bytes`);
  }
  if (bytes.indexOf(SCHEME) !== 0) throw new SpiffeIdError("scheme", `does not begin with ${SCHEME}`);
}

function parseAuthority(bytes: Buffer): TrustDomain {
  if (bytes.length === 0) throw new SpiffeIdError("no-trust-domain", "names no trust domain");
  try {
    return TrustDomain.parse(bytes);
  } catch (error) {
    if (!(error instanceof SpiffeIdError)) throw error;
    throw new SpiffeIdError(error.rule, `has a trust domain that ${error.message}`);
  }
}

/** SPIFFE-ID 2.2: a path is empty, or consists of segments that each begin with a slash. */
function checkPath(path: Buffer): void {
  for (let start = 0; start < path.length; ) {
    const next = path.indexOf(SLASH, start + 1);
    const end = next === -1 ? path.length : next;
    checkSegment(path.subarray(start + 1, end), end === path.length);
    start = end;
  }
}

function checkSegment(segment: Buffer, last: boolean): void {
  if (segment.length === 0) {
    if (last) throw new SpiffeIdError("trailing-slash", "ends with a slash");
    throw new SpiffeIdError("empty-segment", "contains an empty segment (//)");
  }
  const outside = SEGMENT.firstOutside(segment);
  if (outside !== undefined) {
    const problem = `has a path that contains ${showByte(outside)}; allowed are ${SEGMENT.description}`;
    throw new SpiffeIdError("path-character", problem);
  }
  if (isDots(segment)) throw new SpiffeIdError("dot-segment", 'has a path with "." or ".." as a segment');
}

function isDots(segment: Buffer): boolean {
  return segment.length <= 2 && segment.every((byte) => byte === 0x2e);
}

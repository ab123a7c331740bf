import { CharacterSet, showByte } from "./character-set.ts";
import { SpiffeIdError } from "./spiffe-id-error.ts";

/** The longest trust domain name, in bytes (SPIFFE-ID 2.3). */
const MAX_TRUST_DOMAIN_BYTES = 255;

// SPIFFE-ID 2.1. Upper case is refused and not folded: names are keys of bundles and policies, and a trust domain must
// not have two spellings there.
const NAME = new CharacterSet("abcdefghijklmnopqrstuvwxyz0123456789.-_", "a-z 0-9 . _ -");

/**
 * The name of a trust domain, such as `example.org`, that satisfies SPIFFE-ID 2.1. It need not be a valid DNS name:
 * `a..b` and `__proto__` are valid names. Use it as a key of a Map, never of an object, and never as a part of a
 * file name.
 */
export class TrustDomain {
  /** The bare name, such as `example.org`. */
  readonly name: string;

  private constructor(name: string) {
    this.name = name;
    Object.freeze(this);
  }

  /**
   * Parses a bare name, without `spiffe://`. Throws {@link SpiffeIdError}; its message continues a sentence that begins
   * with "the trust domain".
   */
  static parse(input: string | Uint8Array): TrustDomain {
    const bytes = typeof input === "string" ? Buffer.from(input) : input;
    if (bytes.length === 0) throw new SpiffeIdError("no-trust-domain", "is empty");
    if (bytes.length > MAX_TRUST_DOMAIN_BYTES) {
      throw new SpiffeIdError("trust-domain-too-long", `is longer than ${MAX_TRUST_DOMAIN_BYTES} bytes`);
    }
    const outside = NAME.firstOutside(bytes);
    if (outside === undefined) return new TrustDomain(Buffer.from(bytes).toString("latin1"));
    const problem = `contains ${showByte(outside)}; allowed are ${NAME.description}`;
    throw new SpiffeIdError("trust-domain-character", problem);
  }

  /** Whether both trust domains are equal. */
  equals(other: TrustDomain): boolean {
    return this.name === other.name;
  }

  /** The bare name. */
  toString(): string {
    return this.name;
  }

  /** The bare name. */
  toJSON(): string {
    return this.name;
  }
}

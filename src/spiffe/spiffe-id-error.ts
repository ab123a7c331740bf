/**
 * The rule that a SPIFFE ID or a trust domain name violates. Section numbers refer to SPIFFE-ID.md.
 * - empty: zero bytes (2).
 * - too-long: more than 2048 bytes (2.3).
 * - scheme: it does not begin with `spiffe://`, in lower case (2, 2.1).
 * - no-trust-domain: nothing follows the scheme (2.1).
 * - trust-domain-too-long: more than 255 bytes (2.3).
 * - trust-domain-character: not one of a-z 0-9 . _ - (2.1). Includes user info, ports, IPv6 and percent-encoding.
 * - path-character: not one of A-Z a-z 0-9 . _ - between slashes (2.2). Includes queries and fragments (2).
 * - empty-segment: two slashes in a row (2.2).
 * - dot-segment: `.` or `..` as a whole segment (2.2).
 * - trailing-slash: it ends with a slash (2.2).
 */
export type SpiffeIdRule =
  | "empty"
  | "too-long"
  | "scheme"
  | "no-trust-domain"
  | "trust-domain-too-long"
  | "trust-domain-character"
  | "path-character"
  | "empty-segment"
  | "dot-segment"
  | "trailing-slash";

/**
 * The text is not a SPIFFE ID, or not a trust domain name. `message` continues a sentence that begins with "the SPIFFE
 * ID" or "the trust domain". It contains at most one character of the input, escaped: the input may come from an
 * attacker.
 */
export class SpiffeIdError extends Error {
  /** Always "SpiffeIdError". */
  override readonly name = "SpiffeIdError";
  /** The rule that the text violates. */
  readonly rule: SpiffeIdRule;

  constructor(rule: SpiffeIdRule, message: string) {
    super(message);
    this.rule = rule;
  }
}

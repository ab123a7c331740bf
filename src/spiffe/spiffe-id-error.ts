/**
 * The rule that a SPIFFE ID or a trust domain name breaks. Section numbers are those of SPIFFE-ID.md.
 * - empty: there is nothing at all (2).
 * - too-long: more than 2048 bytes (2.3).
 * - scheme: it does not begin with `spiffe://`, in lower case (2, 2.1).
 * - no-trust-domain: nothing follows the scheme (2.1).
 * - trust-domain-too-long: more than 255 bytes (2.3).
 * - trust-domain-character: not one of a-z 0-9 . _ - (2.1). User info, ports, IPv6 and percent-encoding end up here.
 * - path-character: not one of A-Z a-z 0-9 . _ - between slashes (2.2). Queries and fragments (2) end up here.
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
 * The text is no SPIFFE ID, or no trust domain name. `message` completes the sentence that "the SPIFFE ID", or "the
 * trust domain", begins. It shows at most one character of the input, escaped: the input may come from an attacker.
 */
export class SpiffeIdError extends Error {
  override readonly name = "SpiffeIdError";
  readonly rule: SpiffeIdRule;

  constructor(rule: SpiffeIdRule, message: string) {
    super(message);
    this.rule = rule;
  }
}

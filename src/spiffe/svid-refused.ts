import type { SpiffeId } from "./spiffe-id.ts";

/**
 * Why an X.509-SVID is refused: a closed set, for logs, metrics and tests. A reason is never renamed. Sections are those
 * of X509-SVID.md unless another document is named.
 *
 * About what the peer sent:
 * - no-certificate: nothing.
 * - malformed-certificate: the leaf, or a certificate without which there is no path, is no X.509 certificate in strict DER.
 *
 * About the leaf:
 * - no-uri: no URI among its names, so no SPIFFE ID (2).
 * - several-uris: more than one, whatever they are (2, 5.2).
 * - malformed-spiffe-id: its URI is no SPIFFE ID (SPIFFE-ID 2).
 * - no-workload-path: its SPIFFE ID is that of a trust domain (5.2).
 * - leaf-is-ca: it says that it is a certificate authority (5.2).
 * - leaf-may-sign: its key usage has keyCertSign or cRLSign (5.2).
 * - leaf-key-usage: it has no key usage, or one without digitalSignature (4.3).
 * - leaf-extended-key-usage: it has one that lacks the purpose it is shown for (4.4).
 *
 * About its trust domain:
 * - no-bundle: there is no bundle for its trust domain (Workload API 4.6).
 * - untrusted: no authority in that bundle signed it, directly or through the certificates that came along (5.1).
 *
 * About any certificate on the way from the leaf to an authority (RFC 5280 6.1):
 * - expired, not-yet-valid: outside its validity.
 * - unacceptable-key: not EC P-256, P-384, P-521, Ed25519, or RSA of 2048 to 8192 bits.
 * - unacceptable-signature: made with an algorithm that is not on our list, such as SHA-1.
 * - unknown-critical-extension: it demands to be understood, and we don't.
 * - issuer-not-ca: it signed the one below without being a CA with keyCertSign (4.1, 4.3).
 * - path-too-long: there are more certificates below than its pathLenConstraint allows.
 * - name-constraint: a name below lies outside what it may sign for (4.2).
 * - chain-too-long: more certificates below the authority than MAX_PATH_CERTIFICATES.
 * - chain-too-large: more bytes below the authority than MAX_PATH_BYTES.
 *
 * About us:
 * - too-much-work: the search was given up after MAX_SIGNATURE_CHECKS.
 * - chain-not-read: its issuer is not known yet, and too many chains were read a short time ago; see ChainReads.
 */
export type RefusalReason =
  | "no-certificate"
  | "chain-too-long"
  | "chain-too-large"
  | "malformed-certificate"
  | "no-uri"
  | "several-uris"
  | "malformed-spiffe-id"
  | "no-workload-path"
  | "leaf-is-ca"
  | "leaf-may-sign"
  | "leaf-key-usage"
  | "leaf-extended-key-usage"
  | "no-bundle"
  | "untrusted"
  | "expired"
  | "not-yet-valid"
  | "unacceptable-key"
  | "unacceptable-signature"
  | "unknown-critical-extension"
  | "issuer-not-ca"
  | "path-too-long"
  | "name-constraint"
  | "too-much-work"
  | "chain-not-read";

/** A chain was not accepted as an X.509-SVID. For the log: a peer is told nothing. */
export class SvidRefused extends Error {
  override readonly name = "SvidRefused";
  readonly reason: RefusalReason;
  /** What was found, in words; safe to log: it shows nothing of the peer's that did not parse. */
  readonly detail: string;
  /** Who the peer says it is. Not proven! Present only when the chain's leaf holds exactly one well-formed SPIFFE ID. */
  readonly claimed: SpiffeId | undefined;

  constructor(reason: RefusalReason, detail: string, claimed?: SpiffeId) {
    super(`the X.509-SVID is refused (${reason}): ${detail}`);
    this.reason = reason;
    this.detail = detail;
    this.claimed = claimed;
  }
}
